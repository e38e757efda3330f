/** What the programs of query/jq/ say of events: the questions that a consumer asks of a topic. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const PROGRAMS = join(import.meta.dirname, '../../query/jq');

/** Of `missing.jq`: the events of one CPU in one session, against what the last host_status says there are. */
export interface MissingRow {
  readonly host: string;
  readonly session: string;
  readonly cpu: number;
  readonly expected: number;
  readonly found: number;
  readonly missing: readonly number[];
}

/** The numbers that `missing.jq` misses in a file of events, one on each line. */
export function missingIn(file: string): number[] {
  return askEvents<MissingRow>('missing.jq', `cat ${file}`).flatMap(({ missing }) => missing);
}

/** The rows that a program prints of the events that a shell command prints, one on each line. */
export function askEvents<Row>(program: string, command: string): Row[] {
  const line = `${command} | jq -n -c -f ${join(PROGRAMS, program)}`;
  const { status, stdout, stderr } = spawnSync('sh', ['-euc', line], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0 || stderr !== '') throw new Error(`${line} ended with ${status}: ${stderr}`);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((row) => JSON.parse(row) as Row);
}
