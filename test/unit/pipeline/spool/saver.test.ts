/** When events and cursors reach the disk, on a clock that only the test moves. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cursorText } from '../../../../src/pipeline/spool/disk/cursor.ts';
import { type CrashDisk, createCrashDisk } from './crash-disk.ts';
import { events, makeDirectory, openFixture, type SpoolFixtureOptions, segmentNames } from './fixture.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function openOnCrashDisk(options: SpoolFixtureOptions = {}) {
  const disk = createCrashDisk(makeDirectory());
  const written: string[] = [];
  const fixture = await openFixture(disk.directory, {
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
    fixture,
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
    const { fixture, pass, cursorOnDisk } = await openOnCrashDisk({ fsyncIntervalMs: 700 });
    fixture.append(events(0, 5));
    fixture.deliverAll();
    await pass(699);
    expect(cursorOnDisk()).toBeNull();
    await pass(1);
    expect(cursorOnDisk()).toBe(cursorText(5));
  });

  test.each([0, 1, 100])(
    'is saved at most ten times per second, also with an interval of %d ms',
    async (ms) => {
      const { fixture, pass, cursorOnDisk } = await openOnCrashDisk({ fsyncIntervalMs: ms });
      fixture.append(events(0, 5));
      fixture.deliverAll();
      await pass(99);
      expect(cursorOnDisk()).toBeNull();
      await pass(1);
      expect(cursorOnDisk()).toBe(cursorText(5));
    },
  );

  test('is saved once for all changes of an interval, and not again without a change', async () => {
    const { fixture, pass, cursorsWritten } = await openOnCrashDisk({
      sinks: ['a', 'b'],
      fsyncIntervalMs: 100,
    });
    for (let event = 0; event < 5; event++) {
      fixture.append(events(event, 1));
      fixture.deliverAll('a');
    }
    await pass(100);
    expect(cursorsWritten()).toEqual(['cursor.a']);
    fixture.deliverAll('b');
    await pass(100);
    expect(cursorsWritten()).toEqual(['cursor.b']);
    fixture.append(events(5, 1));
    for (const sink of ['a', 'b']) fixture.deliverAll(sink);
    await pass(100);
    expect(cursorsWritten()).toEqual(['cursor.a', 'cursor.b']);
    await pass(10_000);
    expect(cursorsWritten()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('that changes while it is saved is saved after another interval', async () => {
    const { fixture, disk, pass, cursorsWritten } = await openOnCrashDisk({ fsyncIntervalMs: 100 });
    fixture.append(events(0, 1));
    fixture.deliverAll();
    vi.advanceTimersByTime(100);
    // The save is under way: it waits for the disk.
    fixture.append(events(1, 1));
    await disk.idle();
    cursorsWritten();
    fixture.deliverAll();
    await pass(99);
    expect(cursorsWritten()).toEqual([]);
    await pass(1);
    expect(cursorsWritten()).toEqual(['cursor.one']);
  });

  test('is saved at the end, without waiting for the interval', async () => {
    const { fixture, cursorOnDisk } = await openOnCrashDisk({ fsyncIntervalMs: 60_000 });
    fixture.append(events(0, 3));
    fixture.deliverAll();
    await fixture.close();
    expect(cursorOnDisk()).toBe(cursorText(3));
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is not saved any more once the spool is closed', async () => {
    const { fixture, pass } = await openOnCrashDisk({ fsyncIntervalMs: 100 });
    fixture.append(events(0, 3));
    await pass(100);
    await fixture.close();
    fixture.opened.spool.release();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('what nobody has taken yet', () => {
  /** Of a host that crashes only what was forced to the disk is left. */
  const afterCrash = (disk: CrashDisk) =>
    openFixture(disk.crash(makeDirectory(), { names: 0, written: 0, zeros: false }).directory);

  test('is forced to the disk after the interval', async () => {
    const { fixture, disk, pass } = await openOnCrashDisk({ fsyncIntervalMs: 100 });
    await pass(100);
    fixture.append(events(0, 3));
    await pass(100);
    expect((await afterCrash(disk)).deliverAll()).toEqual(events(0, 3));
  });

  test('may be a mark without an event', async () => {
    const { fixture, disk, pass } = await openOnCrashDisk({ fsyncIntervalMs: 100 });
    const mark = { instance: Buffer.alloc(24, 1), records: 7, held: 0 };
    await pass(100);
    fixture.opened.spool.mark(mark);
    await pass(100);
    expect((await afterCrash(disk)).opened.mark).toEqual(mark);
  });
});

describe('a disk that does not take a cursor', () => {
  test('is asked again after a second, however long the interval', async () => {
    const { fixture, disk, pass, cursorOnDisk } = await openOnCrashDisk({ fsyncIntervalMs: 60_000 });
    fixture.append(events(0, 3));
    fixture.deliverAll();
    disk.isFull = true;
    await pass(60_000);
    expect(fixture.faults).toEqual([expect.stringContaining('the disk is full')]);
    // The file of events is none the worse for it, and is written on.
    expect(segmentNames(disk.directory)).toEqual([`${'0'.repeat(20)}.open`]);
    disk.isFull = false;
    await pass(999);
    expect(cursorOnDisk()).toBeNull();
    await pass(1);
    expect(cursorOnDisk()).toBe(cursorText(3));
    expect(fixture.faults).toHaveLength(1);
  });

  test('is not asked again once the spool is closed', async () => {
    const { fixture, disk } = await openOnCrashDisk();
    fixture.append(events(0, 3));
    fixture.deliverAll();
    disk.isFull = true;
    await fixture.close();
    expect(fixture.faults.length).toBeGreaterThan(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a directory that is removed', () => {
  test('is made again, readable for its owner only, and written to', async () => {
    const { fixture, disk, pass } = await openOnCrashDisk({ fsyncIntervalMs: 100 });
    fixture.append(events(0, 1));
    fs.rmSync(disk.directory, { recursive: true });
    await pass(100);
    expect(fixture.faults).toEqual([expect.stringContaining('the directory was removed')]);
    expect(fs.statSync(disk.directory).mode & 0o777).toBe(0o700);
    fixture.append(events(1, 1));
    expect(fs.readdirSync(disk.directory)).toEqual([`${'1'.padStart(20, '0')}.open`]);
  });

  test('and that we may not make again is a fault that is told, and no more', async () => {
    const { fixture, disk, pass } = await openOnCrashDisk({ fsyncIntervalMs: 100 });
    fixture.append(events(0, 1));
    fs.rmSync(disk.directory, { recursive: true });
    fs.writeFileSync(disk.directory, 'a file has its name');
    await pass(100);
    expect(fixture.faults).toHaveLength(1);
    fs.rmSync(disk.directory);
    fs.mkdirSync(disk.directory);
  });
});
