/** Paths of the event file that are anything but a plain file. */
import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DONE } from '../../../../src/shared/result.ts';
import { file } from '../../../../src/sink/file/definition.ts';
import { createFileSink } from '../../../../src/sink/file/file.ts';
import { ACKNOWLEDGED } from '../../../../src/sink/sink.ts';
import { batchOf } from '../../../support/batch.ts';
import { silentLog } from '../../../support/silent-log.ts';

let root: string;
let path: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ktc-target-'));
  mkdirSync(join(root, 'link'));
  mkdirSync(join(root, 'data'));
  path = join(root, 'link/events.ndjson');
});
afterEach(() => rmSync(root, { recursive: true }));

const at = (name: string) => join(root, name);
const content = (name: string) => readFileSync(at(name), 'utf8');
/** Each event fills a file of its own. */
const create = () => createFileSink({ path, maxBytes: 8, maxFiles: 3, log: silentLog });

async function sendNumbers(from: number, to: number): Promise<void> {
  const sink = create();
  expect(await sink.open()).toEqual(DONE);
  for (let n = from; n < to; n++) expect(await sink.send(batchOf([{ n }]))).toEqual(ACKNOWLEDGED);
  await sink.close();
}

const check = () =>
  file.check({
    sink: { file: { enabled: true, path, max_bytes: 4096, max_files: 2 } },
    process: { user: '' },
  });

describe('a symbolic link', () => {
  test.each([
    ['an absolute one', () => symlinkSync(at('data/e.ndjson'), path)],
    ['a relative one', () => symlinkSync('../data/e.ndjson', path)],
    [
      'one of two',
      () => {
        symlinkSync('second', path);
        symlinkSync('../data/e.ndjson', at('link/second'));
      },
    ],
    [
      'one through a directory that is a link',
      () => {
        symlinkSync(at('data'), at('link/directory'));
        symlinkSync('directory/e.ndjson', path);
      },
    ],
    [
      'one whose dots are those of the real directory',
      () => {
        mkdirSync(at('data/deep'));
        symlinkSync(at('data/deep'), at('link/directory'));
        symlinkSync('directory/../e.ndjson', path);
      },
    ],
  ])('stays, and its file is rotated where it is: %s', async (_, make) => {
    make();
    const link = readlinkSync(path);
    // What it leads to is not there yet, then it is.
    expect(await check()).toMatchObject({ verdict: 'ok' });
    await sendNumbers(0, 2);
    await sendNumbers(2, 4);
    expect(readlinkSync(path)).toBe(link);
    expect(
      readdirSync(at('data'))
        .filter((name) => name.startsWith('e.'))
        .sort(),
    ).toEqual(['e.ndjson', 'e.ndjson.1', 'e.ndjson.2']);
    expect([content('data/e.ndjson'), content('data/e.ndjson.1'), content('data/e.ndjson.2')]).toEqual([
      '{"n":3}\n',
      '{"n":2}\n',
      '{"n":1}\n',
    ]);
  });

  test('that is set to another file is followed from the next batch on', async () => {
    symlinkSync('../data/a', path);
    const sink = create();
    await sink.send(batchOf([{ n: 0 }]));
    rmSync(path);
    symlinkSync('../data/b', path);
    await sink.send(batchOf([{ n: 1 }]));
    await sink.close();
    expect([content('data/a'), content('data/b')]).toEqual(['{"n":0}\n', '{"n":1}\n']);
  });

  test.each([
    ['leads in a circle', 'its symbolic links lead in a circle; name a file', () => symlinkSync(path, path)],
    [
      'leads to a directory that is not there',
      'its directory does not exist; create it for the user of the agent',
      () => symlinkSync('../none/e.ndjson', path),
    ],
  ])('that %s is refused, by the check too', async (_, reason, make) => {
    make();
    const problem = `cannot write events to ${path}: ${reason}`;
    expect(await create().open()).toEqual({ ok: false, mayPass: false, problem });
    expect(await check()).toEqual({ verdict: 'failed', detail: problem });
  });
});

describe('a path that leads to', () => {
  test.each([
    ['a pipe', () => execFileSync('mkfifo', [path])],
    [
      'a pipe',
      () => {
        execFileSync('mkfifo', [at('pipe')]);
        symlinkSync('../pipe', path);
      },
    ],
    ['a terminal', () => symlinkSync('/dev/ptmx', path)],
  ])('%s is refused, by the check too, and nothing waits', async (what, make) => {
    make();
    const problem = `cannot write events to ${path}: it is ${what}; name a file, or use sink.stdout`;
    expect(await create().open()).toEqual({ ok: false, mayPass: false, problem });
    expect(await create().send(batchOf([{ n: 1 }]))).toMatchObject({ retry: { reason: problem } });
    if (what === 'a pipe') expect(await check()).toEqual({ verdict: 'failed', detail: problem });
    expect(lstatSync(path).isFile()).toBe(false);
  });

  test('a socket is refused', async () => {
    const server = createServer().listen(path);
    await new Promise((resolve) => server.once('listening', resolve));
    expect(await create().open()).toMatchObject({
      ok: false,
      problem: `cannot write events to ${path}: it is a socket; name a file, or use sink.stdout`,
    });
    await new Promise((resolve) => server.close(resolve));
  });

  test('a pipe that comes in place of the file while it is written is told, and its events wait', async () => {
    const sink = create();
    expect(await sink.send(batchOf([{ n: 1 }]))).toEqual(ACKNOWLEDGED);
    rmSync(path);
    execFileSync('mkfifo', [path]);
    expect(await sink.send(batchOf([{ n: 2 }]))).toMatchObject({ retry: { events: 'rest' } });
    rmSync(path);
    expect(await sink.send(batchOf([{ n: 2 }]))).toEqual(ACKNOWLEDGED);
    await sink.close();
    expect(content('link/events.ndjson')).toBe('{"n":2}\n');
  });

  test('a file that has lost its name is refused', async () => {
    const { fd, close } = await open();
    symlinkSync(`/proc/${process.pid}/fd/${fd}`, path);
    expect(await create().open()).toMatchObject({
      ok: false,
      problem: expect.stringContaining('it is a link to a file without a name; name a file'),
    });
    await close();
    expect(readdirSync(at('data'))).toEqual([]);
  });

  test('/dev/null takes everything, and is not rotated', async () => {
    symlinkSync('/dev/null', path);
    await sendNumbers(0, 4);
    expect(readlinkSync(path)).toBe('/dev/null');
  });

  test('/dev/full is a disk that is full, which may pass', async () => {
    symlinkSync('/dev/full', path);
    expect(await create().send(batchOf([{ n: 1 }]))).toMatchObject({
      retry: { reason: expect.stringContaining('the disk is full') },
    });
  });
});

/** A file that is open and has no name any more. */
async function open() {
  const { open: openFile } = await import('node:fs/promises');
  writeFileSync(at('data/gone'), '');
  const handle = await openFile(at('data/gone'), 'r+');
  rmSync(at('data/gone'));
  return { fd: handle.fd, close: () => handle.close() };
}
