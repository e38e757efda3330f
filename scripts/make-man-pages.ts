/** Writes man/ktc.8, and man/ktc-NAME.8 of every tool, of ktc top and of ktc report. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { overviewManPage } from '../src/cli/overview.ts';
import { reportManPage } from '../src/cli/report-help.ts';
import { manPageOf } from '../src/tool/man.ts';
import { pageOf } from '../src/tool/page.ts';
import { TOOL_NAMES, TOOLS } from '../src/tool/tool.ts';
import { TOP_PAGE } from '../src/tool/top-page.ts';

const directory = join(import.meta.dirname, '../man');
mkdirSync(directory, { recursive: true });
for (const page of [...TOOL_NAMES.map((name) => pageOf(TOOLS[name])), TOP_PAGE]) {
  writeFileSync(join(directory, `ktc-${page.name}.8`), manPageOf(page));
}
writeFileSync(join(directory, 'ktc.8'), overviewManPage());
writeFileSync(join(directory, 'ktc-report.8'), reportManPage());
