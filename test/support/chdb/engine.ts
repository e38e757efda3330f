/**
 * A ClickHouse engine of its own for a test (server.py beside this file), asked by HTTP as a server would be.
 *
 *     const engine = await startEngine('26.9');               // or '25.8', which has the Kafka engine
 *     await engine.apply('--ttl-days', '30');                 // query/clickhouse/apply.sh against it
 *     await engine.load(path);                                // NDJSON, one event per line
 *     const rows = await engine.rows('SELECT …', { from });   // by JSONEachRow
 *     await engine.stop();
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { DEADLINE_MS } from '../wait.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../../..');
export const CLICKHOUSE = join(ROOT, 'query/clickhouse');
/** A large INSERT on a busy machine. */
const REQUEST_DEADLINE_MS = 4 * DEADLINE_MS;

/** By chdb 4.4.0 and 3.7.2. Only the older one has the Kafka engine; it lacks base64Encode, which a server has. */
export type EngineVersion = '26.9' | '25.8';

export type Row = Readonly<Record<string, unknown>>;
export type Parameters = Readonly<Record<string, string>>;

export interface Engine {
  readonly url: string;
  readonly directory: string;
  readonly pid: number;
  /** Processor time of the engine so far, seconds. */
  readonly cpuSeconds: () => number;
  /** Rows that a SELECT reads from tables. */
  readonly rowsRead: (sql: string, parameters?: Parameters, settings?: Parameters) => Promise<number>;
  /** One statement; gives what it prints. Throws the engine's message. */
  readonly query: (sql: string, parameters?: Parameters, settings?: Parameters) => Promise<string>;
  /** What a SELECT without FORMAT answers, in the database `ktc`, which is there from the start. */
  readonly rows: (sql: string, parameters?: Parameters, settings?: Parameters) => Promise<Row[]>;
  /** The only value that a SELECT answers, as text. */
  readonly value: (sql: string, parameters?: Parameters) => Promise<string>;
  /** Runs apply.sh; gives what it printed, and throws if it ends with another code than 0. */
  readonly apply: (...options: readonly string[]) => Promise<string>;
  /** Puts the lines of a file into `lines`, as the queue does. */
  readonly load: (path: string, database?: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Options of apply.sh for events of any age. */
export const KEEP_ALL = ['--ttl-days', '3650', '--proof-days', '3650'] as const;
/** A setting: numbers of 64 bits are numbers in the answer, and no texts. */
export const AS_NUMBERS = { output_format_json_quote_64bit_integers: '0' } as const;

/** Why no engine can be run here, in one line; null when one can. */
export function whyNoEngine(version: EngineVersion): string | null {
  const directory = join(ROOT, '.cache/chdb', version);
  return existsSync(join(directory, 'versions'))
    ? null
    : `no engine in ${directory}: run scripts/install-test-dependencies.sh`;
}

/** What ClickHouse's server has and this build of the engine has not, as functions in SQL. */
const MISSING_FUNCTIONS: Readonly<Record<EngineVersion, readonly string[]>> = {
  '26.9': [],
  '25.8': [
    `CREATE FUNCTION IF NOT EXISTS base64Encode AS text -> concat(arrayStringConcat(arrayMap(
      digit -> substring('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', 1 + bitAnd(bitShiftRight(
        bitShiftLeft(toUInt32(reinterpretAsUInt8(substring(text, 3 * intDiv(digit, 4) + 1, 1))), 16)
          + bitShiftLeft(toUInt32(reinterpretAsUInt8(substring(text, 3 * intDiv(digit, 4) + 2, 1))), 8)
          + reinterpretAsUInt8(substring(text, 3 * intDiv(digit, 4) + 3, 1)), 18 - 6 * (digit % 4)), 63), 1),
      range(toUInt64(ceil(length(text) * 4 / 3))))), repeat('=', (3 - length(text) % 3) % 3))`,
  ],
};

/** A cluster of one shard, which is the engine itself: it has no port on which another one could reach it. */
export const CLUSTER = 'one';
const CONFIG = `<clickhouse><tcp_port>9000</tcp_port><remote_servers><${CLUSTER}><shard><replica>
  <host>127.0.0.1</host><port>9000</port></replica></shard></${CLUSTER}></remote_servers></clickhouse>`;

export async function startEngine(version: EngineVersion): Promise<Engine> {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-clickhouse-'));
  const config = join(directory, 'config.xml');
  writeFileSync(config, CONFIG);
  const python = join(ROOT, '.cache/chdb', version, 'bin/python');
  const child = spawn(python, [join(import.meta.dirname, 'server.py'), join(directory, 'data'), config], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: directory,
  });
  const exit = once(child, 'exit');
  const port = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([line]) => Number(line)),
    exit.then(([code]) => Promise.reject(new Error(`the engine ended with ${code} at its start`))),
  ]);
  const url = `http://127.0.0.1:${port}/`;

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
  const query: Engine['query'] = async (sql, parameters = {}, settings = {}) =>
    (await post(sql, parameters, settings)).text();
  const rows: Engine['rows'] = async (sql, parameters, settings = {}) => {
    const text = await query(sql, parameters, {
      database: 'ktc',
      default_format: 'JSONEachRow',
      ...settings,
    });
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line): Row => JSON.parse(line));
  };
  await query('CREATE DATABASE ktc');
  for (const statement of MISSING_FUNCTIONS[version]) await query(statement);

  return {
    url,
    directory,
    pid: child.pid ?? 0,
    async rowsRead(sql, parameters = {}, settings = {}) {
      const answer = await post(sql, parameters, { database: 'ktc', ...settings });
      await answer.arrayBuffer();
      const summary: unknown = JSON.parse(answer.headers.get('x-clickhouse-summary') ?? '{}');
      return Number((summary as Row)['read_rows']);
    },
    cpuSeconds: () => {
      // Fields 14 and 15, in hundredths of a second; the name of the program, field 2, may hold blanks.
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    query,
    rows,
    value: async (sql, parameters) => (await query(sql, parameters, { database: 'ktc' })).trimEnd(),
    async apply(...options) {
      const { stdout } = await run(join(CLICKHOUSE, 'apply.sh'), ['--url', url, ...options], {
        timeout: REQUEST_DEADLINE_MS,
        killSignal: 'SIGKILL',
      });
      return stdout;
    },
    async load(path, database = 'ktc') {
      await query(
        `INSERT INTO ${database}.lines (line) SELECT line FROM file('${path}', 'LineAsString', 'line String')`,
      );
    },
    async stop() {
      child.stdin.end();
      await exit;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
