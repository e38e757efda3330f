/** Waiting for records, on a pipe of this host in the place of the kernel's file. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { onlineCpus } from '../../../../src/source/ftrace/instance.ts';
import { createPagePool } from '../../../../src/source/ftrace/page-pool.ts';
import { openRing } from '../../../../src/source/ftrace/ring.ts';

function openPipe() {
  const path = mkdtempSync(join(tmpdir(), 'ktc-ring-'));
  const cpus = Math.max(...onlineCpus()) + 1;
  const files = Array.from({ length: cpus }, (_, cpu) => `${path}/per_cpu/cpu${cpu}/trace_pipe_raw`);
  for (const file of files) {
    mkdirSync(dirname(file), { recursive: true });
    execFileSync('mkfifo', [file]);
  }
  const [file = ''] = files;
  const pages: string[] = [];
  const ring = openRing({ path, takenOver: false }, cpus, createPagePool(64), (_, page) =>
    pages.push(page.toString('latin1')),
  );
  onTestFinished(async () => {
    await ring.close();
    rmSync(path, { recursive: true });
  });
  const wait = () => new Promise<void>((resolve) => void expect(ring.wait(resolve)).toBe(true));
  return { file, pages, wait };
}

test('a wait ends with the first page', async () => {
  const { file, pages, wait } = openPipe();
  const ready = wait();
  writeFileSync(file, 'a page');
  await ready;
  expect(pages).toEqual(['a page']);
});

test('a wait that the kernel ends with nothing ends as well, and so does the next one', async () => {
  const { file, pages, wait } = openPipe();
  for (let count = 0; count < 2; count++) {
    const ready = wait();
    writeFileSync(file, '');
    await ready;
  }
  expect(pages).toEqual([]);
});
