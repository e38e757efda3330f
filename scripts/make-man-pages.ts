/** Writes man/ktc-NAME.8 of every tool, of ktc top and of ktc report. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPORT_HELP } from '../src/cli/report-help.ts';
import { bold, entry, manPageOf, roff } from '../src/tool/man.ts';
import { pageOf } from '../src/tool/page.ts';
import { TOOL_NAMES, TOOLS } from '../src/tool/tool.ts';
import { TOP_PAGE } from '../src/tool/top-page.ts';

const directory = join(import.meta.dirname, '../man');
mkdirSync(directory, { recursive: true });
for (const page of [...TOOL_NAMES.map((name) => pageOf(TOOLS[name])), TOP_PAGE]) {
  writeFileSync(join(directory, `ktc-${page.name}.8`), manPageOf(page));
}
writeFileSync(join(directory, 'ktc-report.8'), reportManPage());

function reportManPage(): string {
  const { purpose, usage, description, options, exitCodes, examples } = REPORT_HELP;
  const configuration = 'of the agent, where the brokers and the login are: ktc run --help';
  return `${[
    '.TH KTC\\-REPORT 8 "" "ktc" "System Administration"',
    '.SH NAME',
    `ktc\\-report \\- ${roff(purpose)}`,
    '.SH SYNOPSIS',
    ...usage.flatMap((line) => [bold(line), '.br']),
    '.SH DESCRIPTION',
    description.map(roff).join('\n.PP\n'),
    '.SH OPTIONS',
    ...options.flatMap(({ term, text }) => entry(bold(term.trim()), `${text}.`)),
    ...entry(bold('-c, --config FILE, --set PATH=VALUE'), `${configuration}.`),
    '.SH EXAMPLES',
    ...examples.flatMap(({ term, text }) => ['.TP', roff(`${text}:`), bold(term)]),
    '.SH EXIT STATUS',
    `${roff(exitCodes)}.`,
    '.SH SEE ALSO',
    roff('docs/report.md'),
  ].join('\n')}\n`;
}
