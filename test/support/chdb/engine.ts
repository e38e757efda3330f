/**
 * A ClickHouse engine of its own for a test (server.py beside this file), asked by HTTP as a server would be.
 *
 *     const engine = await startEngine('26.9');               // or '25.8', which has the Kafka engine
 *     await engine.apply('--ttl-days', '30');                 // query/clickhouse/apply.sh against it
 *     await engine.load(path);                                // NDJSON, one event per line
 *     const rows = await engine.rows('SELECT …', { from });   // by JSONEachRow
 *     await engine.stop();
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type ClickHouse, clickHouseAt } from './http.ts';

const CACHE = join(import.meta.dirname, '../../../.cache/chdb');

/** By chdb 4.4.0 and 3.7.2. Only the older one has the Kafka engine; it lacks base64Encode, which a server has. */
export type EngineVersion = '26.9' | '25.8';

export interface Engine extends ClickHouse {
  readonly directory: string;
  readonly pid: number;
  /** Processor time of the engine so far, seconds. */
  readonly cpuSeconds: () => number;
  /** Puts the lines of a file into `lines`, as the queue does. */
  readonly load: (path: string, database?: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Why no engine can be run here, in one line; null when one can. */
export function whyNoEngine(version: EngineVersion): string | null {
  return existsSync(join(CACHE, version, 'versions'))
    ? null
    : `no engine in ${join(CACHE, version)}: run scripts/install-test-dependencies.sh`;
}

/** What ClickHouse's server has and this build of the engine has not, as functions in SQL. */
export const MISSING_FUNCTIONS: Readonly<Record<EngineVersion, readonly string[]>> = {
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

/** Python with the engine in its packages. */
export const pythonOf = (version: EngineVersion): string => join(CACHE, version, 'bin/python');

export async function startEngine(version: EngineVersion): Promise<Engine> {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-clickhouse-'));
  const child = spawn(pythonOf(version), [join(import.meta.dirname, 'server.py'), join(directory, 'data')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: directory,
  });
  const exit = once(child, 'exit');
  const port = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([line]) => Number(line)),
    exit.then(([code]) => Promise.reject(new Error(`the engine ended with ${code} at its start`))),
  ]);
  const engine = clickHouseAt(`http://127.0.0.1:${port}/`);
  await engine.query('CREATE DATABASE ktc');
  for (const statement of MISSING_FUNCTIONS[version]) await engine.query(statement);

  return {
    ...engine,
    directory,
    pid: child.pid ?? 0,
    cpuSeconds: () => {
      // Fields 14 and 15, in hundredths of a second; the name of the program, field 2, may hold blanks.
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    async load(path, database = 'ktc') {
      await engine.query(
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
