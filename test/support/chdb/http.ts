/** ClickHouse by its HTTP interface: an engine behind server.py, or a server. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DEADLINE_MS } from '../wait.ts';

const run = promisify(execFile);
export const CLICKHOUSE = join(import.meta.dirname, '../../../query/clickhouse');
/** A large INSERT on a busy machine. */
const REQUEST_DEADLINE_MS = 4 * DEADLINE_MS;

export type Row = Readonly<Record<string, unknown>>;
export type Parameters = Readonly<Record<string, string>>;

export interface ClickHouse {
  readonly url: string;
  /** One statement; gives what it prints. Throws the engine's message. */
  readonly query: (sql: string, parameters?: Parameters, settings?: Parameters) => Promise<string>;
  /** What a SELECT without FORMAT answers, in the database `ktc`. */
  readonly rows: (sql: string, parameters?: Parameters, settings?: Parameters) => Promise<Row[]>;
  /** The only value that a SELECT answers, as text. */
  readonly value: (sql: string, parameters?: Parameters) => Promise<string>;
  /** Rows that a SELECT reads from tables. */
  readonly rowsRead: (sql: string, parameters?: Parameters, settings?: Parameters) => Promise<number>;
  /** Runs apply.sh; gives what it printed, and throws if it ends with another code than 0. */
  readonly apply: (...options: readonly string[]) => Promise<string>;
}

/** Options of apply.sh for events of any age. */
export const KEEP_ALL = ['--ttl-days', '3650', '--proof-days', '3650'] as const;
/** A setting: numbers of 64 bits are numbers in the answer, and no texts. */
export const AS_NUMBERS = { output_format_json_quote_64bit_integers: '0' } as const;

export function clickHouseAt(url: string): ClickHouse {
  const post = async (sql: string, parameters: Parameters, settings: Parameters): Promise<Response> => {
    const words = new URLSearchParams(settings);
    for (const [name, value] of Object.entries(parameters)) words.set(`param_${name}`, value);
    const answer = await fetch(`${url}?${words}`, {
      method: 'POST',
      body: sql,
      signal: AbortSignal.timeout(REQUEST_DEADLINE_MS),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return answer;
  };
  const query: ClickHouse['query'] = async (sql, parameters = {}, settings = {}) =>
    (await post(sql, parameters, settings)).text();
  return {
    url,
    query,
    async rows(sql, parameters, settings = {}) {
      const words = { database: 'ktc', default_format: 'JSONEachRow', ...settings };
      return (await query(sql, parameters, words))
        .split('\n')
        .filter((line) => line !== '')
        .map((line): Row => JSON.parse(line));
    },
    value: async (sql, parameters) => (await query(sql, parameters, { database: 'ktc' })).trimEnd(),
    async rowsRead(sql, parameters = {}, settings = {}) {
      const answer = await post(sql, parameters, { database: 'ktc', ...settings });
      await answer.arrayBuffer();
      const summary: unknown = JSON.parse(answer.headers.get('x-clickhouse-summary') ?? '{}');
      return Number((summary as Row)['read_rows']);
    },
    async apply(...options) {
      const { stdout } = await run(join(CLICKHOUSE, 'apply.sh'), ['--url', url, ...options], {
        timeout: REQUEST_DEADLINE_MS,
        killSignal: 'SIGKILL',
      });
      return stdout;
    },
  };
}
