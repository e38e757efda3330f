/** Reading and waiting for records, on pipes of this host in the place of the kernel's files. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createPagePool } from '../../../../src/source/ftrace/page-pool.ts';
import { openRing } from '../../../../src/source/ftrace/ring.ts';

const PAGE_BYTES = 64;

function openPipes(cpus: number) {
  const path = mkdtempSync(join(tmpdir(), 'ktc-ring-'));
  const files = Array.from({ length: cpus }, (_, cpu) => `${path}/per_cpu/cpu${cpu}/trace_pipe_raw`);
  const waitedFor = `${path}/trace_pipe`;
  for (const file of [...files, waitedFor]) {
    mkdirSync(dirname(file), { recursive: true });
    execFileSync('mkfifo', [file]);
  }
  const pages: string[] = [];
  const ring = openRing({ path, takenOver: false }, cpus, createPagePool(PAGE_BYTES), (cpu, page) =>
    pages.push(`${cpu} ${page.toString('latin1')}`),
  );
  onTestFinished(async () => {
    await ring.close();
    rmSync(path, { recursive: true });
  });
  const wait = () => new Promise<void>((resolve) => void expect(ring.wait(resolve)).toBe(true));
  // A descriptor that reads keeps the pipe's content.
  const write = (cpu: number, text: string) => writeFileSync(files[cpu] ?? '', text);
  const makeReady = (text = 'a record') => writeFileSync(waitedFor, text);
  return { path, ring, pages, wait, write, makeReady };
}

test('a wait ends with the first record, which stays in the kernel until it is read', async () => {
  const { ring, pages, wait, write, makeReady } = openPipes(2);
  const ready = wait();
  write(1, 'a page');
  makeReady();
  await ready;
  expect(pages).toEqual([]);
  expect([ring.read(0, 2), ring.read(1, 2)]).toEqual([false, false]);
  expect(pages).toEqual(['1 a page']);
});

test('a wait ends at once where there are records already, and tells so once', async () => {
  const { ring, pages, wait, makeReady } = openPipes(1);
  makeReady();
  let told = 0;
  ring.wait(() => told++);
  await wait();
  expect([told, pages]).toEqual([0, []]);
});

test('a wait that the kernel ends with nothing ends as well, and so does the next one', async () => {
  const { pages, wait, makeReady } = openPipes(1);
  for (let count = 0; count < 2; count++) {
    const ready = wait();
    makeReady('');
    await ready;
  }
  expect(pages).toEqual([]);
});

test('a process that has nothing to wait for is told so, and reads', () => {
  const { path, ring, pages, write } = openPipes(1);
  rmSync(join(path, 'trace_pipe'));
  const other = openRing({ path, takenOver: false }, 1, createPagePool(PAGE_BYTES), (_, page) =>
    pages.push(page.toString('latin1')),
  );
  onTestFinished(() => other.close());
  expect(other.wait(() => {})).toBe(false);
  expect(ring.wait(() => {})).toBe(true);
  write(0, 'a page');
  other.read(0, 1);
  expect(pages).toEqual(['a page']);
});

test('what cannot be opened leaves nothing open', () => {
  const { path } = openPipes(1);
  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  expect(() => openRing({ path, takenOver: false }, 2, createPagePool(PAGE_BYTES), () => {})).toThrow('cpu1');
  expect(open()).toBe(before);
});

test('reads no more pages than it is told to, and says whether there may be more', () => {
  const { ring, pages, write } = openPipes(1);
  write(0, 'x'.repeat(3 * PAGE_BYTES));
  expect(ring.read(0, 2)).toBe(true);
  expect(pages).toHaveLength(2);
  expect(ring.read(0, 2)).toBe(false);
  expect(pages).toHaveLength(3);
});

test('gives pages one by one and in order, also the many of one system call, and a short one at the end', () => {
  const { ring, pages, write } = openPipes(1);
  const texts = [...'abcdefghi'].map((letter) => letter.repeat(PAGE_BYTES));
  write(0, `${texts.join('')}the end`);
  expect(ring.read(0, 32)).toBe(false);
  expect(pages).toEqual([...texts, 'the end'].map((text) => `0 ${text}`));
});
