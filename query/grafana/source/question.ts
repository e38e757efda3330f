/**
 * The SQL of the panels and alert rules. Most of it is that of the questions in query/clickhouse/questions, so that a
 * question is mended in one place; sql/ has what only a dashboard asks. Each file opens with the question that it answers,
 * which becomes the panel's description. In place of a question's parameters stand values of Grafana's; a file of sql/ may
 * also have
 *
 *     @time             the range of time, as the questions write it: plain comparisons, by which ClickHouse's key says what
 *                       to read; with Grafana's $__timeFilter it reads the whole table
 *     @answer(07-NAME)  the whole answer to a question, as rows to select from
 *
 * A condition on the time also narrows to what is chosen at the top of the dashboard: labels, a host, or a peer.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The value of a variable while nothing is chosen. Quoted, because Grafana does not format it. */
export const ALL = "'__all'";

const FOLDERS = [join(import.meta.dirname, 'sql'), join(import.meta.dirname, '../../clickhouse/questions')];
const LABELS = ['datacenter', 'rack', 'service'] as const;
const TIME = "timestamp >= {from:DateTime64(9, 'UTC')} AND timestamp < {to:DateTime64(9, 'UTC')}";

const moment = (variable: string): string => `fromUnixTimestamp64Milli(toInt64(\${${variable}}), 'UTC')`;
const chosen = (label: string): string => `(\${${label}:singlequote})`;

/** Of what a question is asked. */
interface Scope {
  /** What it is narrowed to; null for nothing. */
  readonly condition: string | null;
  /** What stands in place of the parameters. */
  readonly parameters: Readonly<Record<string, string>>;
}

const PARAMETERS = {
  from: moment('__from'),
  to: moment('__to'),
  min_segments: '1000',
  min_age_s: '300',
  silent_s: '300',
} as const;

const HOST = `\${host:singlequote}`;
const PEER = `\${peer:singlequote}`;

/** By what dashboards narrow: labels, or the one thing that they are about. */
const SCOPES = {
  fleet: {
    condition: LABELS.map((label) => `(${ALL} IN ${chosen(label)} OR ${label} IN ${chosen(label)})`).join(
      ' AND ',
    ),
    parameters: PARAMETERS,
  },
  host: { condition: `host = ${HOST}`, parameters: PARAMETERS },
  peer: { condition: `remote_address = toIPv6(${PEER})`, parameters: { ...PARAMETERS, address: PEER } },
} as const satisfies Readonly<Record<string, Scope>>;
export type ScopeName = keyof typeof SCOPES;

/** All hosts, between two moments before now; a silent host is one of all, however short its silence. */
export function lately(fromMinutes: number, toMinutes: number): Scope {
  const before = (minutes: number): string => `now64(9, 'UTC') - INTERVAL ${minutes} MINUTE`;
  return {
    condition: null,
    parameters: { ...PARAMETERS, from: before(fromMinutes), to: before(toMinutes), silent_s: '0' },
  };
}

interface Question {
  /** What it answers, and how to read the answer. */
  readonly question: string;
  /** As Grafana gets it, with Grafana's own variables. */
  readonly sql: string;
}

/** The name of a column or a reason stays as it is. */
function capital(word: string): string {
  return word.includes('_') ? word : word.slice(0, 1).toUpperCase() + word.slice(1);
}

/** The comment of a file without what its parameters and its answer are, and its SQL as it is. */
function read(name: string): Question {
  const file = FOLDERS.map((folder) => join(folder, `${name}.sql`)).find((path) => existsSync(path));
  if (file === undefined) throw new RangeError(`no question ${name}`);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const start = lines.findIndex((line) => !line.startsWith('--'));
  const question = lines
    .slice(0, start)
    .map((line) => line.slice(3))
    .filter((line) => line !== '')
    .join(' ')
    .replace(/ Parameters: .*? Read: (\S+)/, (_, first: string) => ` ${capital(first)}`)
    .replace(/ (Cost: |Answer, ).*/, '');
  return { question, sql: lines.slice(start).join('\n') };
}

/** The SQL with everything in its place. */
function fill(sql: string, scope: Scope): string {
  const { condition, parameters } = scope;
  return (
    sql
      .replaceAll(/@answer\(([\w-]+)\)/g, (_, name: string) => {
        // Of the whole answer, not of its first rows.
        const rows = read(name).sql.replace(/\nLIMIT \d+$/, '');
        return `(\n${rows.replaceAll(/^/gm, '    ')})`;
      })
      .replaceAll('@time', TIME)
      .replaceAll(TIME, () => (condition === null ? TIME : `${TIME} AND ${condition}`))
      // Not Grafana's own, which have a dollar sign.
      .replaceAll(/(?<!\$)\{(\w+):[^}]+\}/g, (whole, name: string) => {
        const value = parameters[name];
        if (value === undefined) throw new RangeError(`nothing to put in place of ${whole}`);
        return value;
      })
  );
}

/** A question by its name, of sql/ or of the questions to ClickHouse, as a dashboard or an alert rule asks it. */
export function questionOf(name: string, scope: Scope | ScopeName = 'fleet'): Question {
  const { question, sql } = read(name);
  return { question, sql: fill(sql, typeof scope === 'string' ? SCOPES[scope] : scope) };
}
