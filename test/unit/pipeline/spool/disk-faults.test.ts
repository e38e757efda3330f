import * as fs from 'node:fs';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { SpoolFiles } from '../../../../src/pipeline/spool/disk/files.ts';
import {
  copyAsAfterKill,
  events,
  largeEvents,
  makeDirectory,
  numbersOf,
  openFixture,
  segmentNames,
  systemError,
  until,
} from './fixture.ts';

function diskThatBecomesReadOnly() {
  const disk = { isReadOnly: false };
  const check = () => {
    if (disk.isReadOnly) throw systemError('EROFS');
  };
  const files: Partial<SpoolFiles> = {
    unlinkSync(path) {
      check();
      fs.unlinkSync(path);
    },
    renameSync(from, to) {
      check();
      fs.renameSync(from, to);
    },
    writevSync(descriptor: number, parts: readonly NodeJS.ArrayBufferView[], at?: number | null) {
      check();
      return fs.writevSync(descriptor, parts, at ?? undefined);
    },
  };
  return Object.assign(disk, { files });
}

describe('while the disk takes nothing', () => {
  const openFailing = async (code: string, options: object = {}) => {
    let failing = false;
    let now = 0;
    const directory = makeDirectory();
    const fixture = await openFixture(directory, {
      memoryBytes: 100_000,
      now: () => now,
      ...options,
      files: {
        writevSync(...parts: Parameters<typeof fs.writevSync>) {
          if (failing) throw systemError(code);
          return fs.writevSync(...parts);
        },
      },
    });
    return {
      directory,
      fixture,
      fail(value: boolean) {
        failing = value;
        now += 10_000;
      },
    };
  };

  test('events are delivered from memory, and back-pressure begins when that is full', async () => {
    const { fixture, fail } = await openFailing('ENOSPC');
    fixture.append(largeEvents(0, 1));
    fail(true);
    fixture.append(largeEvents(1, 1));
    expect(fixture.faults).toEqual([
      expect.stringMatching(
        /the disk is full; events wait in memory, up to 100000 bytes, then reading pauses/,
      ),
    ]);
    expect(fixture.account()).toMatchObject({ spooled: 1, queued: 1 });
    expect(fixture.opened.spool.full).toBe(false);
    fixture.append(largeEvents(2, 1));
    fixture.append(largeEvents(3, 1));
    expect(fixture.opened.spool.full).toBe(true);
    expect(numbersOf(fixture.deliverAll())).toEqual([0, 1, 2, 3]);
    expect(fixture.opened.spool.full).toBe(false);
    expect(fixture.account()).toMatchObject({ delivered: 4, queued: 0, spooled: 0, in_flight: 0 });
    await fixture.close();
  });

  test('when it does again, what waited in memory is written, in order', async () => {
    const { fixture, directory, fail } = await openFailing('EIO');
    fixture.append(largeEvents(0, 1));
    fail(true);
    fixture.append(largeEvents(1, 1));
    fixture.append(largeEvents(2, 1));
    fail(false);
    fixture.append(largeEvents(3, 1));
    expect(fixture.recoveries).toBe(1);
    expect(fixture.account()).toMatchObject({ spooled: 4, queued: 0 });
    const after = await openFixture(copyAsAfterKill(directory));
    expect(numbersOf(after.deliverAll())).toEqual([0, 1, 2, 3]);
    expect(after.damages).toEqual([]);
    expect(numbersOf(fixture.deliverAll())).toEqual([0, 1, 2, 3]);
    await fixture.close();
  });

  test('what is in memory only when the agent ends is counted as dropped, in flight or not', async () => {
    const { fixture, directory, fail } = await openFailing('ENOSPC');
    fixture.append(largeEvents(0, 1));
    fail(true);
    fixture.append(largeEvents(1, 1));
    fixture.append(largeEvents(2, 1));
    expect(fixture.reader().take({ maxEvents: 2, maxBytes: 1 << 30 })?.count).toBe(2);
    await fixture.close();
    expect(fixture.account()).toMatchObject({
      dropped: { shutdown: 2 },
      spooled: 1,
      queued: 0,
      in_flight: 0,
    });
    const after = await openFixture(directory);
    expect(numbersOf(after.deliverAll())).toEqual([0]);
  });

  test('drop_oldest gives up the oldest file for the newest events', async () => {
    let room = Number.POSITIVE_INFINITY;
    const directory = makeDirectory();
    const used = () =>
      segmentNames(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
    const fixture = await openFixture(directory, {
      maxBytes: 1 << 20,
      whenFull: 'drop_oldest',
      files: {
        writevSync(...parts: Parameters<typeof fs.writevSync>) {
          const size = parts[1].reduce((sum, part) => sum + part.byteLength, 0);
          if (used() + size > room) throw systemError('ENOSPC');
          return fs.writevSync(...parts);
        },
      },
    });
    for (let at = 0; at < 10; at++) fixture.append(largeEvents(at, 1));
    room = used() + 20_000;
    for (let at = 10; at < 20; at++) fixture.append(largeEvents(at, 1));
    expect(fixture.faults).toEqual([]);
    const kept = numbersOf(fixture.deliverAll());
    expect(kept.at(-1)).toBe(19);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, at) => 20 - kept.length + at));
    expect(fixture.account().dropped).toEqual({ spool_full: 20 - kept.length });
    await fixture.close();
  });

  test('a short write is a fault, and leaves no torn frame', async () => {
    const directory = makeDirectory();
    let short = false;
    const fixture = await openFixture(directory, {
      files: {
        writevSync: (descriptor: number, parts: readonly NodeJS.ArrayBufferView[], at?: number | null) =>
          fs.writevSync(descriptor, short ? parts.slice(0, 1) : parts, at ?? undefined),
        writeSync() {
          throw systemError('ENOSPC');
        },
      },
    });
    fixture.append(events(0, 2));
    short = true;
    fixture.append(events(2, 2));
    expect(fixture.faults).toHaveLength(1);
    const after = await openFixture(copyAsAfterKill(directory));
    expect(after.deliverAll()).toEqual(events(0, 2));
    expect(after.damages).toEqual([]);
  });

  test('a file system that becomes read-only is a fault, whatever is tried of it', async () => {
    const disk = diskThatBecomesReadOnly();
    const fixture = await openFixture(makeDirectory(), { files: disk.files });
    for (let at = 0; at < 4; at++) fixture.append(largeEvents(at, 1));
    disk.isReadOnly = true;
    fixture.append(largeEvents(4, 1));
    expect(fixture.faults).toEqual([expect.stringContaining('the file system is read-only now')]);
    expect(numbersOf(fixture.deliverAll())).toEqual([0, 1, 2, 3, 4]);
    expect(fixture.account()).toMatchObject({
      delivered: 5,
      dropped: {},
      queued: 0,
      spooled: 0,
      in_flight: 0,
    });
    await fixture.close();
  });

  test('a file without events that could not be removed meanwhile is written over when it can', async () => {
    let now = 0;
    const disk = diskThatBecomesReadOnly();
    const directory = makeDirectory();
    const fixture = await openFixture(directory, { now: () => now, files: disk.files });
    fixture.opened.spool.mark({ instance: Buffer.alloc(24), records: 7, held: 0 });
    const [left = ''] = segmentNames(directory);
    disk.isReadOnly = true;
    fixture.append(events(0, 2));
    expect(fixture.faults).toHaveLength(1);
    expect(segmentNames(directory)).toEqual([left]);
    disk.isReadOnly = false;
    now += 2_000;
    fixture.append(events(2, 2));
    expect(fixture.faults).toHaveLength(1);
    expect(fixture.recoveries).toBe(1);
    expect(fixture.account()).toMatchObject({ queued: 0, spooled: 4 });
    const after = await openFixture(copyAsAfterKill(directory));
    expect(after.deliverAll()).toEqual(events(0, 4));
    expect(after.damages).toEqual([]);
  });

  test('a directory that is removed is made again; what only its files had is counted', async () => {
    const directory = makeDirectory();
    const fixture = await openFixture(directory, { fsyncIntervalMs: 1, memoryBytes: 1 });
    fixture.append(largeEvents(0, 1));
    fixture.append(largeEvents(1, 1));
    rmSync(directory, { recursive: true });
    fixture.append(largeEvents(2, 1));
    await until(() => fixture.faults.some((fault) => fault.includes('the directory was removed')));
    await until(() => fs.existsSync(directory));
    fixture.append(largeEvents(3, 1));
    const got = numbersOf(fixture.deliverAll());
    expect(got).toContain(3);
    const { dropped, delivered } = fixture.account();
    expect(delivered + (dropped['spool_damaged'] ?? 0)).toBe(4);
    expect(fixture.account()).toMatchObject({ queued: 0, spooled: 0, in_flight: 0 });
    await fixture.close();
    mkdirSync(directory, { recursive: true });
  });
});
