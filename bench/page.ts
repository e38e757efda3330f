/** docs/performance.md: a section for each bench, with the machine and the day on which it was measured. */
import { barsTable, machine, type Report, tableText } from './report.ts';

const HEAD = `# Performance

<!-- Written by bench/run.ts, the section of each bench that was run: do not edit. -->

This page shows what the agent costs, compared with other programs in the same run. Read it to size hosts. Shared virtual
machines are noisy: use the ratios rather than the absolute figures, and measure on your own host with \`make bench\`.
`;
const MARK = /^<!-- bench: (\w+) -->\n/m;

/** What one bench has measured, in Markdown. */
export function sectionText({ tables, bars }: Report): string {
  return [...tables.map(tableText), barsTable(bars), `${machine()}\n`]
    .filter((text) => text !== '')
    .join('\n');
}

/** The page with the sections of `measured` in place of those it had, in the order of `names`; others are dropped. */
export function withSections(
  page: string,
  names: readonly string[],
  measured: ReadonlyMap<string, string>,
): string {
  const [, ...parts] = page.split(MARK);
  const sections = new Map<string, string>();
  for (let at = 0; at < parts.length; at += 2) sections.set(parts[at] ?? '', (parts[at + 1] ?? '').trim());
  const texts = names.flatMap((name) => {
    const text = measured.get(name) ?? sections.get(name);
    return text === undefined ? [] : [`<!-- bench: ${name} -->\n${text.trim()}\n`];
  });
  return [HEAD, ...texts].join('\n');
}
