/**
 * The SQL of the panels, from the files in sql/. Each opens with the question that it answers, which becomes the panel's
 * description. In them stand
 *
 *     @time      the range of time: of the dashboard, or that of an alert. As plain comparisons, by which ClickHouse's key
 *                says what to read; with Grafana's $__timeFilter it reads the whole table
 *     @labels    the values chosen at the top of the dashboard; for an alert all
 *     @accounts  sql/fragment-accounts.sql
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The value of a variable while nothing is chosen. Quoted, because Grafana does not format it. */
export const ALL = "'__all'";

const LABELS = ['datacenter', 'rack', 'service'] as const;

const moment = (variable: string): string => `fromUnixTimestamp64Milli(toInt64(\${${variable}}))`;
const chosen = (label: string): string => `(\${${label}:singlequote})`;

/** What stands for `@time` and `@labels`. */
interface Scope {
  readonly time: string;
  readonly labels: string;
}

const DASHBOARD: Scope = {
  time: `timestamp >= ${moment('__from')} AND timestamp < ${moment('__to')}`,
  labels: LABELS.map((label) => `(${ALL} IN ${chosen(label)} OR ${label} IN ${chosen(label)})`).join(' AND '),
};

/** All hosts, between two moments before now. */
export function lately(fromMinutes: number, toMinutes: number): Scope {
  const before = (minutes: number): string => `now64(9) - INTERVAL ${minutes} MINUTE`;
  return { time: `timestamp >= ${before(fromMinutes)} AND timestamp < ${before(toMinutes)}`, labels: 'true' };
}

interface Question {
  readonly question: string;
  /** As Grafana gets it, with Grafana's own variables. */
  readonly sql: string;
}

function read(name: string): Question {
  const lines = readFileSync(join(import.meta.dirname, 'sql', `${name}.sql`), 'utf8')
    .trimEnd()
    .split('\n');
  const start = lines.findIndex((line) => !line.startsWith('-- '));
  return {
    question: lines
      .slice(0, start)
      .map((line) => line.slice(3))
      .join(' '),
    sql: lines.slice(start).join('\n'),
  };
}

/** The question of sql/NAME.sql with everything in its place. */
export function questionOf(name: string, { time, labels }: Scope = DASHBOARD): Question {
  const { question, sql } = read(name);
  const whole = sql
    .replaceAll('@accounts', () => read('fragment-accounts').sql)
    .replaceAll('@time', () => time)
    .replaceAll('@labels', () => labels);
  return { question, sql: whole };
}
