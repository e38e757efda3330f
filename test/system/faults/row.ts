/** A row of the fault matrix as a line for people, and for the table of docs/reliability.md. */
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** `make test-faults` runs every row, in full length; `make test` a part of them, shortened. */
export const FULL = process.env['KTC_FAULTS'] !== undefined;

/** The rows of this run, a JSON object each, for scripts/write-reliability.ts. */
const RESULTS = join(import.meta.dirname, '../../../.cache/faults');

export interface Row {
  readonly row: string;
  readonly perSecond: number;
  /** What the source has read, and what was found of it. */
  readonly expected: string;
  readonly found: string;
  readonly lost: Readonly<Record<string, number>>;
  readonly doubled: number;
  /** Bytes. */
  readonly peakMemory: number;
  readonly measured: string;
}

export function tellRow(row: Row): void {
  const lost = Object.entries(row.lost).map(([reason, amount]) => `${amount} ${reason}`);
  console.log(
    `fault: ${row.row}: ${row.expected}, ${row.found}, ${row.doubled} twice, lost ${lost.join(', ') || '0'}, ` +
      `${Math.round(row.perSecond)} events/s, ${Math.round(row.peakMemory / 2 ** 20)} MB` +
      `${row.measured === '' ? '' : `; ${row.measured}`}`,
  );
  if (!FULL) return;
  mkdirSync(RESULTS, { recursive: true });
  appendFileSync(join(RESULTS, 'rows.ndjson'), `${JSON.stringify(row)}\n`);
}
