/** What is generated from the tables is as they are now; `make docs` makes it anew. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exampleOf } from '../../../scripts/make-tool-examples.ts';
import { overviewManPage } from '../../../src/cli/overview.ts';
import { reportManPage } from '../../../src/cli/report-help.ts';
import { EXIT_CODES } from '../../../src/tool/help.ts';
import { manPageOf } from '../../../src/tool/man.ts';
import { optionsOf } from '../../../src/tool/option.ts';
import { pageOf } from '../../../src/tool/page.ts';
import { TOOL_NAMES, TOOLS } from '../../../src/tool/tool.ts';
import { TOP_PAGE } from '../../../src/tool/top-page.ts';

const ROOT = join(import.meta.dirname, '../../..');
const PAGES = [...TOOL_NAMES.map((name) => pageOf(TOOLS[name])), TOP_PAGE];
const read = (...path: string[]) => readFileSync(join(ROOT, ...path), 'utf8');

describe('the man pages', () => {
  it('are one for each tool, for ktc top and for ktc report', () => {
    const names = [...PAGES.map(({ name }) => name), 'report'];
    expect(readdirSync(join(ROOT, 'man')).sort()).toEqual(
      ['ktc.8', ...names.map((name) => `ktc-${name}.8`)].sort(),
    );
    expect(read('man', 'ktc.8')).toBe(overviewManPage());
    expect(read('man', 'ktc-report.8')).toBe(reportManPage());
  });

  it.each(PAGES)('of $name is not stale', (about) => {
    const { name } = about;
    const page = manPageOf(about);
    expect(read('man', `ktc-${name}.8`)).toBe(page);
    for (const section of ['FIELDS', 'EXAMPLES', 'OVERHEAD', 'EXIT STATUS']) {
      expect(page).toContain(`\n.SH ${section}\n`);
    }
  });
});

describe.skipIf(!existsSync(join(ROOT, 'bin/ktc')))('the examples', () => {
  it.each(TOOL_NAMES)('of %s are what the commands in it print', (name) => {
    expect(read('tools', `${name}_example.txt`)).toBe(exampleOf(name));
  });
});

describe('docs/tools.md', () => {
  const page = read('docs', 'tools.md').replaceAll(/\s+/g, ' ');

  it('names every tool with its columns, every option, and the exit codes', () => {
    for (const name of TOOL_NAMES) expect(page).toContain(`| \`${name}\` |`);
    for (const { name } of TOOL_NAMES.flatMap(optionsOf)) {
      if (!['help', 'lport'].includes(name)) expect(page).toContain(`\`--${name}`);
    }
    expect(page).toContain(EXIT_CODES);
  });
});
