import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DONE } from '../../../../src/shared/result.ts';
import { createFileSink } from '../../../../src/sink/file/file.ts';
import { ACKNOWLEDGED } from '../../../../src/sink/sink.ts';
import { batchOf, batchOfTexts } from '../../../support/batch.ts';
import { silentLog } from '../../../support/silent-log.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ktc-file-sink-'));
  path = join(directory, 'events.ndjson');
});
afterEach(() => rmSync(directory, { recursive: true }));

const create = (maxBytes = 1_000_000, maxFiles = 5) =>
  createFileSink({ path, maxBytes, maxFiles, log: silentLog });
const content = (suffix = '') => readFileSync(path + suffix, 'utf8');
/** Ten bytes a line, newline included. */
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `{"n":${String(from + index).padStart(3, '0')}}`);

describe('the file sink', () => {
  it('appends the bytes of every batch, in the order of the calls, to a file of mode 0640', async () => {
    writeFileSync(path, '{"n":"before"}\n', { mode: 0o640 });
    const sink = create();
    expect(await sink.open()).toEqual(DONE);
    const batches = [batchOf([{ n: 1 }, { n: 2 }]), batchOf([{ n: 3 }]), batchOf([])];
    expect(await Promise.all(batches.map((batch) => sink.send(batch)))).toEqual(
      batches.map(() => ACKNOWLEDGED),
    );
    await sink.close();
    await sink.close();
    expect(content()).toBe('{"n":"before"}\n{"n":1}\n{"n":2}\n{"n":3}\n');
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it('creates the file readable for its group and closed to others', async () => {
    const sink = create();
    await sink.open();
    await sink.close();
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it('rotates between events, newest first, and removes the oldest', async () => {
    const sink = create(30, 3);
    await sink.send(batchOfTexts(numbered(0, 11)));
    await sink.close();
    const lines = (from: number, to: number) => `${numbered(from, to).join('\n')}\n`;
    expect(readdirSync(directory).sort()).toEqual(['events.ndjson', 'events.ndjson.1', 'events.ndjson.2']);
    expect(content()).toBe(lines(9, 11));
    expect(content('.1')).toBe(lines(6, 9));
    expect(content('.2')).toBe(lines(3, 6));
  });

  it('keeps nothing but the current file when told so', async () => {
    const sink = create(20, 1);
    await sink.send(batchOfTexts(numbered(0, 5)));
    await sink.close();
    expect(readdirSync(directory)).toEqual(['events.ndjson']);
    expect(content()).toBe('{"n":004}\n');
  });

  it('gives an event that is larger than a file a file of its own', async () => {
    const large = JSON.stringify({ text: 'x'.repeat(100) });
    const sink = create(30, 4);
    await sink.send(batchOfTexts(['{"n":001}', large, '{"n":002}']));
    await sink.close();
    expect([content('.2'), content('.1'), content()]).toEqual(['{"n":001}\n', `${large}\n`, '{"n":002}\n']);
  });

  it('goes on in a new file after others moved, removed or truncated it', async () => {
    const sink = create();
    await sink.send(batchOfTexts(['{"n":1}']));
    renameSync(path, `${path}-moved`);
    await sink.send(batchOfTexts(['{"n":2}']));
    expect(readFileSync(`${path}-moved`, 'utf8')).toBe('{"n":1}\n');
    expect(content()).toBe('{"n":2}\n');
    rmSync(path);
    await sink.send(batchOfTexts(['{"n":3}']));
    expect(content()).toBe('{"n":3}\n');
    renameSync(path, `${path}-moved`);
    writeFileSync(path, '');
    await sink.send(batchOfTexts(['{"n":4}']));
    truncateSync(path);
    await sink.send(batchOfTexts(['{"n":5}']));
    await sink.close();
    expect(content()).toBe('{"n":5}\n');
  });

  it('ends a line that a crash has torn, so that it spoils no other', async () => {
    writeFileSync(path, '{"n":1}\n{"n":');
    const sink = create();
    await sink.send(batchOfTexts(['{"n":2}']));
    await sink.close();
    expect(content()).toBe('{"n":1}\n{"n":\n{"n":2}\n');
  });

  it('says in one line what is wrong and goes on when it has been mended', async () => {
    rmSync(directory, { recursive: true });
    const sink = create();
    const reason = `cannot write events to ${path}: its directory does not exist; create it for the user of the agent`;
    expect(await sink.open()).toEqual({ ok: false, problem: reason, mayPass: false });
    const batch = batchOfTexts(['{"n":1}']);
    expect(await sink.send(batch)).toEqual({ refused: [], retry: { events: 'rest', afterMs: null, reason } });
    mkdirSync(directory);
    expect(await sink.open()).toEqual(DONE);
    expect(await sink.send(batch)).toEqual(ACKNOWLEDGED);
    await sink.close();
    expect(content()).toBe('{"n":1}\n');
  });

  it('refuses to take a directory for a file', async () => {
    mkdirSync(path);
    expect(await create().open()).toEqual({
      ok: false,
      problem: `cannot write events to ${path}: it is a directory; name a file`,
      mayPass: false,
    });
  });

  it('reports a full disk as a retry', async () => {
    // The kernel's own file that is always full.
    const sink = createFileSink({ path: '/dev/full', maxBytes: 1_000_000, maxFiles: 2, log: silentLog });
    expect(await sink.send(batchOfTexts(['{"n":1}']))).toEqual({
      refused: [],
      retry: {
        events: 'rest',
        afterMs: null,
        reason:
          'cannot write events to /dev/full: the disk is full; free space or lower the size and number of rotated files',
      },
    });
    await sink.close();
  });

  it('cuts off what a write that failed half-way has left', async () => {
    const script = `
      import { createFileSink } from ${JSON.stringify(join(import.meta.dirname, '../../../../src/sink/file/file.ts'))};
      import { batchOfTexts } from ${JSON.stringify(join(import.meta.dirname, '../../../support/batch.ts'))};
      const log = { debug() {}, info() {}, warn() {}, error() {} };
      const sink = createFileSink({ path: ${JSON.stringify(path)}, maxBytes: 1e6, maxFiles: 2, log });
      const results = [];
      for (const count of [100, 1000, 1]) {
        results.push(await sink.send(batchOfTexts(Array(count).fill('{"n":' + count + '}'))));
      }
      await sink.close();
      console.log(JSON.stringify(results.map(({ retry }) => retry)));`;
    // The kernel writes up to 4 KiB of the second batch, then refuses the rest.
    const limited = 'trap "" XFSZ; ulimit -f 4; exec "$0" "$@"';
    const node = [process.execPath, '--no-warnings', '--input-type=module-typescript', '-e', script];
    const out = execFileSync('bash', ['-c', limited, ...node], { encoding: 'utf8' });
    const reason = `cannot write events to ${path}: EFBIG: file too large, write`;
    expect(JSON.parse(out)).toEqual([null, { events: 'rest', afterMs: null, reason }, null]);
    expect(content()).toBe(`${'{"n":100}\n'.repeat(100)}{"n":1}\n`);
  });

  it('does not mistake what others append for its own size', async () => {
    const sink = create(30, 3);
    await sink.send(batchOfTexts(numbered(0, 1)));
    appendFileSync(path, '{"n":"by another"}\n');
    await sink.send(batchOfTexts(numbered(1, 3)));
    await sink.close();
    expect(existsSync(`${path}.1`)).toBe(true);
    expect(content('.1')).toBe('{"n":000}\n{"n":"by another"}\n');
    expect(content()).toBe('{"n":001}\n{"n":002}\n');
  });
});
