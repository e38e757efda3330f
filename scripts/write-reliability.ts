/** Writes what `make test-faults` has found into the table of docs/reliability.md; the last result of each row counts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Row } from '../test/system/faults/row.ts';

const ROOT = join(import.meta.dirname, '..');
const RESULTS = join(ROOT, '.cache/faults/rows.ndjson');
const PAGE = join(ROOT, 'docs/reliability.md');
const [BEGIN, END] = ['<!-- results -->\n', '<!-- end of results -->\n'];

function lineOf({ row, perSecond, expected, found, lost, doubled, peakMemory, measured }: Row): string {
  const losses = Object.entries(lost).filter(([, amount]) => amount > 0);
  const cells = [
    measured === '' ? row : `${row}: ${measured}`,
    String(Math.round(perSecond)),
    expected,
    found,
    losses.map(([reason, amount]) => `${amount} ${reason}`).join(', ') || '0',
    String(doubled),
    `${Math.round(peakMemory / 2 ** 20)} MiB`,
  ];
  return `| ${cells.join(' | ')} |\n`;
}

const results = readFileSync(RESULTS, 'utf8').split('\n').filter(Boolean);
const rows = new Map(
  results.map((line) => {
    const row = JSON.parse(line) as Row;
    return [row.row, row] as const;
  }),
);
const text = readFileSync(PAGE, 'utf8');
const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
if (begin < 0 || end < begin) throw new Error(`${PAGE} has no place for results between ${BEGIN}and ${END}`);
const head =
  '| fault | events/s | read | found | counted as lost | duplicates | peak memory |\n|---|---|---|---|---|---|---|\n';
const table = head + [...rows.values()].map(lineOf).join('');
writeFileSync(PAGE, `${text.slice(0, begin + BEGIN.length)}${table}${text.slice(end)}`);
process.stdout.write(table);
