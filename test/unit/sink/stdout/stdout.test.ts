import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ACKNOWLEDGED } from '../../../../src/sink/sink.ts';
import { createStdoutSink } from '../../../../src/sink/stdout/stdout.ts';
import { batchOf, sampleEvents } from '../../../support/batch.ts';

afterEach(() => vi.unstubAllEnvs());

const terminal = () => Object.assign(new PassThrough(), { isTTY: true });

/** Everything that was written; one call of `read` gives one write since Node.js 26. */
function read(stream: PassThrough): string {
  let text = '';
  for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) text += chunk;
  return text;
}

describe('the stdout sink', () => {
  it('writes the bytes of a batch as they are', async () => {
    const stream = new PassThrough();
    const sink = createStdoutSink({ format: 'ndjson', stream });
    await sink.open();
    const batch = batchOf([{ n: 1 }, { text: 'ü' }]);
    expect(await sink.send(batch)).toEqual(ACKNOWLEDGED);
    expect(read(stream)).toBe(batch.bytes.toString());
  });

  it('prints a table with one header, however often it is opened', async () => {
    const stream = new PassThrough();
    const sink = createStdoutSink({ format: 'table', stream });
    await sink.open();
    await sink.open();
    await sink.send(batchOf(sampleEvents(2)));
    const lines = read(stream).split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^TIME +EVENT +PID/);
    expect(lines[1]).toMatch(/^\d\d:\d\d:00\.123 retrans 4000 /);
    expect(lines[2]).toMatch(/ retrans 4001 .* rto in ESTABLISHED$/);
  });

  it('colours on a terminal only, and not against NO_COLOR', async () => {
    vi.stubEnv('NO_COLOR', '');
    const shown = async (stream: PassThrough) => {
      await createStdoutSink({ format: 'table', stream }).send(batchOf(sampleEvents(1)));
      return read(stream);
    };
    const colored = await shown(terminal());
    expect([colored.slice(0, 5), colored.slice(-5)]).toEqual(['\x1b[31m', '\x1b[0m\n']);
    expect(await shown(new PassThrough())).not.toContain('\x1b');
    vi.stubEnv('NO_COLOR', '1');
    expect(await shown(terminal())).not.toContain('\x1b');
  });

  it('holds a batch back until a slow reader has taken it', async () => {
    let taken: (() => void) | undefined;
    const stream = new Writable({
      write: (_chunk, _encoding, done) => {
        taken = done;
      },
    });
    const sink = createStdoutSink({ format: 'ndjson', stream });
    await sink.open();
    let settled = false;
    const sending = sink.send(batchOf([{ n: 1 }])).finally(() => {
      settled = true;
    });
    await new Promise(setImmediate);
    expect(settled).toBe(false);
    taken?.();
    expect(await sending).toEqual(ACKNOWLEDGED);
  });

  it('refuses everything and says so once when the reader of the pipe has ended', async () => {
    const script = `
      import { createStdoutSink } from ${JSON.stringify(join(import.meta.dirname, '../../../../src/sink/stdout/stdout.ts'))};
      const sink = createStdoutSink({
        format: 'ndjson', stream: process.stdout, onClosed: (reason) => console.error('closed:', reason),
      });
      await sink.open();
      const bytes = Buffer.from('{}\\n{}\\n');
      const batch = { id: 1, bytes, count: 2, offsets: new Uint32Array([0, 3, 6]), oldestMs: 0 };
      let result;
      do result = await sink.send(batch); while (result.refused.length === 0);
      console.error(JSON.stringify([result, await sink.send(batch)]));`;
    const child = spawn(process.execPath, ['--no-warnings', '--input-type=module-typescript', '-e', script]);
    let told = '';
    child.stderr.on('data', (chunk) => {
      told += chunk;
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    const [status] = await once(child, 'close');
    const refused = [0, 1].map((index) => ({ index, reason: 'stdout_closed' }));
    const result = { refused, retry: null };
    expect(told).toBe(
      `closed: standard output was closed by its reader\n${JSON.stringify([result, result])}\n`,
    );
    expect(status).toBe(0);
  });
});
