/** When events and cursors reach the disk, on a clock that only the test moves. */
import * as fs from 'node:fs';
import { basename, join } from 'node:path';
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

/** Of a host that crashes only what was forced to the disk is left. */
const WORST = { names: 0, written: 0, zeros: false };

async function openOnCrashDisk(options: SpoolFixtureOptions = {}) {
  const disk = createCrashDisk(makeDirectory());
  const opened = new Map<number, string>();
  const forced: string[] = [];
  const fixture = await openFixture(disk.directory, {
    ...options,
    files: {
      ...disk.files,
      openSync(path, flags, mode) {
        const descriptor = disk.files.openSync?.(path, flags, mode) ?? -1;
        opened.set(descriptor, basename(String(path)));
        return descriptor;
      },
      fdatasync: ((descriptor: number, done: fs.NoParamCallback) => {
        const name = opened.get(descriptor) ?? '';
        if (name.startsWith('cursor.')) forced.push(name);
        disk.files.fdatasync?.(descriptor, done);
      }) as typeof fs.fdatasync,
      ...options.files,
    },
  });
  const cursorIn = (directory: string, sink: string) => {
    const path = join(directory, `cursor.${sink}`);
    return fs.existsSync(path) ? fs.readFileSync(path, 'latin1') : null;
  };
  return {
    disk,
    fixture,
    /** Cursors that were forced to the disk since the last look. */
    cursorsForced: () => forced.splice(0),
    async pass(milliseconds: number) {
      vi.advanceTimersByTime(milliseconds);
      await disk.idle();
    },
    /** What the next agent finds if this one is killed now. */
    cursor: (sink = 'one') => cursorIn(disk.directory, sink),
    /** What it finds if the host crashes now, which ends this one. */
    cursorAfterCrash: () => cursorIn(disk.crash(makeDirectory(), WORST).directory, 'one'),
  };
}

describe('how far a sink has come', () => {
  test('is in its file as soon as a batch is settled, so that it is there after a kill', async () => {
    const { fixture, cursor } = await openOnCrashDisk({ fsyncIntervalMs: 60_000 });
    for (let event = 0; event < 4; event++) fixture.append(events(event, 1));
    const [first, second, third] = fixture.takeAll();
    if (first === undefined || second === undefined || third === undefined) throw new Error('no batches');
    expect(cursor()).toBeNull();
    fixture.deliver(first);
    expect(cursor()).toBe(cursorText(1));
    // The one before it is in flight.
    fixture.deliver(third);
    expect(cursor()).toBe(cursorText(1));
    fixture.deliver(second);
    expect(cursor()).toBe(cursorText(3));
  });

  test.each([
    [699, 1],
    [700, 5],
  ])('is forced to the disk after 700 ms: a crash after %d ms leaves %d', async (milliseconds, ordinal) => {
    const { fixture, pass, cursorAfterCrash } = await openOnCrashDisk({ fsyncIntervalMs: 700 });
    // The first one is forced at once, with the name of its file.
    fixture.append(events(0, 1));
    fixture.deliverAll();
    await pass(700);
    fixture.append(events(1, 4));
    fixture.deliverAll();
    await pass(milliseconds);
    expect(cursorAfterCrash()).toBe(cursorText(ordinal));
  });

  test.each([0, 1, 100])(
    'is forced at most ten times per second, also with an interval of %d ms',
    async (ms) => {
      const { fixture, pass, cursorsForced } = await openOnCrashDisk({ fsyncIntervalMs: ms });
      fixture.append(events(0, 5));
      fixture.deliverAll();
      await pass(99);
      expect(cursorsForced()).toEqual([]);
      await pass(1);
      expect(cursorsForced()).toEqual(['cursor.one']);
    },
  );

  test('is forced once for all changes of an interval, and not again without a change', async () => {
    const { fixture, pass, cursorsForced } = await openOnCrashDisk({
      sinks: ['a', 'b'],
      fsyncIntervalMs: 100,
    });
    for (let event = 0; event < 5; event++) {
      fixture.append(events(event, 1));
      fixture.deliverAll('a');
    }
    await pass(100);
    expect(cursorsForced()).toEqual(['cursor.a']);
    fixture.deliverAll('b');
    await pass(100);
    expect(cursorsForced()).toEqual(['cursor.b']);
    fixture.append(events(5, 1));
    for (const sink of ['a', 'b']) fixture.deliverAll(sink);
    await pass(100);
    expect(cursorsForced()).toEqual(['cursor.a', 'cursor.b']);
    await pass(10_000);
    expect(cursorsForced()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('that changes while it is forced is forced again after another interval', async () => {
    const { fixture, disk, pass, cursorsForced } = await openOnCrashDisk({ fsyncIntervalMs: 100 });
    fixture.append(events(0, 1));
    fixture.deliverAll();
    vi.advanceTimersByTime(100);
    // The save is under way: it waits for the disk.
    fixture.append(events(1, 1));
    await disk.idle();
    cursorsForced();
    fixture.deliverAll();
    await pass(99);
    expect(cursorsForced()).toEqual([]);
    await pass(1);
    expect(cursorsForced()).toEqual(['cursor.one']);
  });

  test('is forced at the end, without waiting for the interval', async () => {
    const { fixture, cursorsForced, cursor } = await openOnCrashDisk({ fsyncIntervalMs: 60_000 });
    fixture.append(events(0, 3));
    fixture.deliverAll();
    await fixture.close();
    expect(cursorsForced()).toEqual(['cursor.one']);
    expect(cursor()).toBe(cursorText(3));
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is made again at the end where somebody has removed it', async () => {
    const { disk, fixture, cursor } = await openOnCrashDisk({ fsyncIntervalMs: 60_000 });
    fixture.append(events(0, 3));
    fixture.deliverAll();
    fs.rmSync(join(disk.directory, 'cursor.one'));
    await fixture.close();
    expect(cursor()).toBe(cursorText(3));
  });

  test('is not forced any more once the spool is closed', async () => {
    const { fixture, pass } = await openOnCrashDisk({ fsyncIntervalMs: 100 });
    fixture.append(events(0, 3));
    await pass(100);
    await fixture.close();
    fixture.opened.spool.release();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('what nobody has taken yet', () => {
  const afterCrash = (disk: CrashDisk) => openFixture(disk.crash(makeDirectory(), WORST).directory);

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
    const { fixture, disk, pass, cursor } = await openOnCrashDisk({ fsyncIntervalMs: 60_000 });
    fixture.append(events(0, 3));
    disk.isFull = true;
    fixture.deliverAll();
    await pass(60_000);
    // When the batch was settled, and after the interval.
    const full = expect.stringContaining('the disk is full');
    expect(fixture.faults).toEqual([full, full]);
    // The file of events is none the worse for it, and is written on.
    expect(segmentNames(disk.directory)).toEqual([`${'0'.repeat(20)}.open`]);
    disk.isFull = false;
    await pass(999);
    expect(cursor()).toBeNull();
    await pass(1);
    expect(cursor()).toBe(cursorText(3));
    expect(fixture.faults).toHaveLength(2);
  });

  test('is not asked again once the spool is closed', async () => {
    const { fixture, disk } = await openOnCrashDisk();
    fixture.append(events(0, 3));
    disk.isFull = true;
    fixture.deliverAll();
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
