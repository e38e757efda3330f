/** When events and cursors reach the disk, on a clock that only the test moves. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cursorText } from '../../../../src/pipeline/spool/disk/cursor.ts';
import { events, makeDirectory, openBench, type SpoolBenchOptions } from './bench.ts';
import { createCrashDisk } from './crash-disk.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function openOnCrashDisk(options: SpoolBenchOptions = {}) {
  const disk = createCrashDisk(makeDirectory());
  const written: string[] = [];
  const bench = await openBench(disk.directory, {
    ...options,
    files: {
      ...disk.files,
      renameSync(from, to) {
        if (String(to).includes('cursor.')) written.push(String(to).slice(disk.directory.length + 1));
        disk.files.renameSync?.(from, to);
      },
      ...options.files,
    },
  });
  return {
    disk,
    bench,
    /** Cursors that were put in place since the last look. */
    cursorsWritten: () => written.splice(0),
    async pass(milliseconds: number) {
      vi.advanceTimersByTime(milliseconds);
      await disk.idle();
    },
    cursorOnDisk: (sink = 'one') => {
      const path = join(disk.directory, `cursor.${sink}`);
      return fs.existsSync(path) ? fs.readFileSync(path, 'latin1') : null;
    },
  };
}

describe('how far a sink has come', () => {
  test('is saved after the interval, and not before', async () => {
    const { bench, pass, cursorOnDisk } = await openOnCrashDisk({ fsyncIntervalMs: 700 });
    bench.append(events(0, 5));
    bench.deliverAll();
    await pass(699);
    expect(cursorOnDisk()).toBeNull();
    await pass(1);
    expect(cursorOnDisk()).toBe(cursorText(5));
  });

  test.each([0, 1, 100])(
    'is saved ten times a second at most, also with an interval of %d ms',
    async (ms) => {
      const { bench, pass, cursorOnDisk } = await openOnCrashDisk({ fsyncIntervalMs: ms });
      bench.append(events(0, 5));
      bench.deliverAll();
      await pass(99);
      expect(cursorOnDisk()).toBeNull();
      await pass(1);
      expect(cursorOnDisk()).toBe(cursorText(5));
    },
  );

  test('is saved at once for all that has come together, and not again without a change', async () => {
    const { bench, pass, cursorsWritten } = await openOnCrashDisk({
      sinks: ['a', 'b'],
      fsyncIntervalMs: 100,
    });
    for (let event = 0; event < 5; event++) {
      bench.append(events(event, 1));
      bench.deliverAll('a');
    }
    await pass(100);
    expect(cursorsWritten()).toEqual(['cursor.a']);
    bench.deliverAll('b');
    await pass(100);
    expect(cursorsWritten()).toEqual(['cursor.b']);
    bench.append(events(5, 1));
    for (const sink of ['a', 'b']) bench.deliverAll(sink);
    await pass(100);
    expect(cursorsWritten()).toEqual(['cursor.a', 'cursor.b']);
    await pass(10_000);
    expect(cursorsWritten()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('that changes while it is saved is saved after another interval', async () => {
    const { bench, disk, pass, cursorsWritten } = await openOnCrashDisk({ fsyncIntervalMs: 100 });
    bench.append(events(0, 1));
    bench.deliverAll();
    vi.advanceTimersByTime(100);
    // The save is under way: it waits for the disk.
    bench.append(events(1, 1));
    await disk.idle();
    cursorsWritten();
    bench.deliverAll();
    await pass(99);
    expect(cursorsWritten()).toEqual([]);
    await pass(1);
    expect(cursorsWritten()).toEqual(['cursor.one']);
  });

  test('is saved at the end, without waiting for the interval', async () => {
    const { bench, cursorOnDisk } = await openOnCrashDisk({ fsyncIntervalMs: 60_000 });
    bench.append(events(0, 3));
    bench.deliverAll();
    await bench.close();
    expect(cursorOnDisk()).toBe(cursorText(3));
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a disk that does not take a cursor', () => {
  test('is asked again after a second, however long the interval', async () => {
    const { bench, disk, pass, cursorOnDisk } = await openOnCrashDisk({ fsyncIntervalMs: 60_000 });
    bench.append(events(0, 3));
    bench.deliverAll();
    disk.isFull = true;
    await pass(60_000);
    expect(bench.faults).toEqual([expect.stringContaining('the disk is full')]);
    disk.isFull = false;
    await pass(999);
    expect(cursorOnDisk()).toBeNull();
    await pass(1);
    expect(cursorOnDisk()).toBe(cursorText(3));
    expect(bench.faults).toHaveLength(1);
  });

  test('is not asked again once the spool is closed', async () => {
    const { bench, disk } = await openOnCrashDisk();
    bench.append(events(0, 3));
    bench.deliverAll();
    disk.isFull = true;
    await bench.close();
    expect(bench.faults.length).toBeGreaterThan(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a directory that is removed', () => {
  test('is made again for nobody else to read, and written to', async () => {
    const { bench, disk, pass } = await openOnCrashDisk({ fsyncIntervalMs: 100 });
    bench.append(events(0, 1));
    fs.rmSync(disk.directory, { recursive: true });
    await pass(100);
    expect(bench.faults).toEqual([expect.stringContaining('the directory was removed')]);
    expect(fs.statSync(disk.directory).mode & 0o777).toBe(0o700);
    bench.append(events(1, 1));
    expect(fs.readdirSync(disk.directory)).toEqual([`${'1'.padStart(20, '0')}.open`]);
  });

  test('and that we may not make again is a fault that is told, and no more', async () => {
    const { bench, disk, pass } = await openOnCrashDisk({ fsyncIntervalMs: 100 });
    bench.append(events(0, 1));
    fs.rmSync(disk.directory, { recursive: true });
    fs.writeFileSync(disk.directory, 'a file has its name');
    await pass(100);
    expect(bench.faults).toHaveLength(1);
    fs.rmSync(disk.directory);
    fs.mkdirSync(disk.directory);
  });
});
