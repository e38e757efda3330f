/** Waiting for records, on a pipe of this host in the place of the kernel's file. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createPagePool } from '../../../../src/source/ftrace/page-pool.ts';
import { openRing } from '../../../../src/source/ftrace/ring.ts';

const PAGE_BYTES = 64;

function openPipes(cpus: number) {
  const path = mkdtempSync(join(tmpdir(), 'ktc-ring-'));
  const files = Array.from({ length: cpus }, (_, cpu) => `${path}/per_cpu/cpu${cpu}/trace_pipe_raw`);
  for (const file of files) {
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
  const wait = (among: readonly number[]) =>
    new Promise<void>((resolve) => void expect(ring.wait(among, resolve)).toBe(true));
  const write = (cpu: number, text: string) => writeFileSync(files[cpu] ?? '', text);
  return { ring, pages, wait, write };
}

test('a wait ends with the first record, which stays in the kernel until it is read', async () => {
  const { ring, pages, wait, write } = openPipes(2);
  const ready = wait([0, 1]);
  write(1, 'a page');
  await ready;
  expect(pages).toEqual([]);
  expect([ring.read(0, 2), ring.read(1, 2)]).toEqual([false, false]);
  expect(pages).toEqual(['1 a page']);
});

test('a wait ends at once where there are records already, and tells so once', async () => {
  const { ring, pages, wait, write } = openPipes(1);
  // A descriptor that reads keeps the pipe's content.
  write(0, 'a page');
  let told = 0;
  ring.wait([0], () => told++);
  await wait([0]);
  expect([told, pages]).toEqual([0, []]);
  ring.read(0, 2);
  expect(pages).toEqual(['0 a page']);
});

test('a wait that the kernel ends with nothing ends as well, and so does the next one', async () => {
  const { pages, wait, write } = openPipes(1);
  for (let count = 0; count < 2; count++) {
    const ready = wait([0]);
    write(0, '');
    await ready;
  }
  expect(pages).toEqual([]);
});

test('reads no more pages than it is told to, and says whether there may be more', () => {
  const { ring, pages, write } = openPipes(1);
  write(0, 'x'.repeat(3 * PAGE_BYTES));
  expect(ring.read(0, 2)).toBe(true);
  expect(pages).toHaveLength(2);
  expect(ring.read(0, 2)).toBe(false);
  expect(pages).toHaveLength(3);
});
