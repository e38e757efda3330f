import * as fs from 'node:fs';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { acknowledge } from '../../../../src/ledger/booking.ts';
import { createLedger } from '../../../../src/ledger/ledger.ts';
import { cursorText } from '../../../../src/pipeline/spool/disk/cursor.ts';
import type { SpoolFiles } from '../../../../src/pipeline/spool/disk/files.ts';
import { openMemorySpool } from '../../../../src/pipeline/spool/open.ts';
import type { Batch } from '../../../../src/sink/batch.ts';
import { batchOfTexts } from '../../../support/batch.ts';
import { DEADLINE_MS } from '../../../support/wait.ts';
import { textsOf } from '../scripted-sink.ts';
import { copyAsAfterKill, events, makeDirectory, openFixture, segmentNames, systemError } from './fixture.ts';

const LARGE = 'x'.repeat(40_000);
/** Events of 40 kB: two fill a segment of the smallest size. */
const large = (from: number, count: number) =>
  events(from, count).map((text) => `${text.slice(0, -1)},"x":"${LARGE}"}`);
const numbersOf = (texts: readonly string[]) =>
  texts.map((text) => (JSON.parse(text) as { event: number }).event);
const until = (condition: () => boolean) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: DEADLINE_MS });

describe('in memory', () => {
  const openMemory = (maxBytes: number) => {
    const ledger = createLedger(['a', 'b']);
    const { spool, readers } = openMemorySpool(ledger.sinks, maxBytes, fs);
    const [a, b] = [...readers.values()];
    if (a === undefined || b === undefined) throw new Error('no readers');
    return { spool, a, b };
  };

  test('every reader gets every batch in order, and bytes count until all have settled', () => {
    const { spool, a, b } = openMemory(10);
    spool.append(batchOfTexts(['aaa']), null);
    expect([spool.bytes, spool.full]).toEqual([4, false]);
    spool.append(batchOfTexts(['bbbbb']), null);
    expect([spool.bytes, spool.full]).toEqual([10, true]);
    const limits = { maxEvents: 1, maxBytes: 1 };
    const taken = [a, b].map((reader) => [reader.take(limits), reader.take(limits)]);
    expect(taken.map((batches) => batches.map((batch) => batch && textsOf(batch)))).toEqual([
      [['aaa'], ['bbbbb']],
      [['aaa'], ['bbbbb']],
    ]);
    expect([a.take(limits), b.take(limits)]).toEqual([null, null]);
    const settle = (reader: typeof a, batch: Batch | null | undefined) => batch && reader.settle(batch);
    settle(a, taken[0]?.[1]);
    settle(a, taken[0]?.[0]);
    settle(b, taken[1]?.[1]);
    expect([spool.bytes, spool.full]).toEqual([10, true]);
    settle(b, taken[1]?.[0]);
    expect([spool.bytes, spool.full]).toEqual([0, false]);
  });

  test('small batches that wait are taken as one, within the limits', () => {
    const { spool, a } = openMemory(1 << 20);
    for (const text of ['1', '22', '333', '4']) spool.append(batchOfTexts([text, text]), null);
    const take = (maxEvents: number, maxBytes: number) => {
      const batch = a.take({ maxEvents, maxBytes });
      return batch && textsOf(batch);
    };
    expect(take(5, 1 << 20)).toEqual(['1', '1', '22', '22']);
    expect(take(100, 8)).toEqual(['333', '333']);
    expect(take(1, 1)).toEqual(['4', '4']);
    expect(take(1, 1)).toBeNull();
  });
});

describe('on disk', () => {
  test('a batch is in a file before anybody can take it', async () => {
    const directory = makeDirectory();
    const fixture = await openFixture(directory);
    fixture.append(events(0, 3));
    const [name = ''] = segmentNames(directory);
    expect(readFileSync(join(directory, name), 'latin1')).toContain(
      '{"event":0}\n{"event":1}\n{"event":2}\n',
    );
    expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
    expect(fixture.account()).toMatchObject({ queued: 0, spooled: 3, in_flight: 0 });
    expect(fixture.takeAll().flatMap(textsOf)).toEqual(events(0, 3));
    expect(fixture.account()).toMatchObject({ queued: 0, spooled: 0, in_flight: 3 });
    await fixture.close();
  });

  test('what is not settled comes again after an end in order, and only that', async () => {
    const directory = makeDirectory();
    const first = await openFixture(directory);
    for (let at = 0; at < 6; at += 2) first.append(events(at, 2));
    const [one, two] = first.takeAll();
    if (one === undefined || two === undefined) throw new Error('nothing was taken');
    first.reader().settle(one);
    await first.close();
    expect(first.account()).toMatchObject({ queued: 0, spooled: 6, in_flight: 0, dropped: {} });
    const second = await openFixture(directory);
    expect(second.account()).toMatchObject({ recovered: 4, spooled: 4 });
    second.append(events(6, 2));
    expect(second.deliverAll()).toEqual(events(2, 6));
    await second.close();
    expect(segmentNames(directory)).toEqual([]);
    expect((await openFixture(directory)).account()).toMatchObject({ recovered: 0, spooled: 0 });
  });

  test('after a kill nothing that was appended is missing, and what was settled may come again', async () => {
    const directory = makeDirectory();
    const first = await openFixture(directory);
    first.append(events(0, 5));
    first.deliverAll();
    first.append(events(5, 5));
    const second = await openFixture(copyAsAfterKill(directory));
    expect(second.account().recovered).toBe(10);
    expect(second.deliverAll()).toEqual(events(0, 10));
  });

  test('cursors reach the disk by a timer, after silence too', async () => {
    const directory = makeDirectory();
    const fixture = await openFixture(directory, { fsyncIntervalMs: 1 });
    fixture.append(events(0, 5));
    fixture.deliverAll();
    await until(() => readFileSync(join(directory, 'cursor.one'), 'latin1') === cursorText(5));
    await fixture.close();
  });

  test('each sink has a cursor of its own, and a file goes when the slowest has settled it', async () => {
    const directory = makeDirectory();
    const options = { sinks: ['quick', 'slow'], maxBytes: 1 << 20 };
    const first = await openFixture(directory, options);
    for (let at = 0; at < 6; at++) first.append(large(at, 1));
    expect(numbersOf(first.deliverAll('quick'))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(segmentNames(directory).length).toBe(3);
    await first.close();
    const second = await openFixture(directory, options);
    expect([second.account('quick').recovered, second.account('slow').recovered]).toEqual([0, 6]);
    expect(numbersOf(second.deliverAll('slow'))).toEqual([0, 1, 2, 3, 4, 5]);
    await second.close();
    expect(segmentNames(directory)).toEqual([]);
  });

  test('a sink that is no longer configured is forgotten, and said so', async () => {
    const directory = makeDirectory();
    const first = await openFixture(directory, { sinks: ['one', 'gone'] });
    first.append(events(0, 1));
    first.deliverAll('gone');
    await first.close();
    const second = await openFixture(directory);
    expect(second.notes).toEqual([expect.stringContaining('sink gone is not configured any more')]);
    expect(fs.existsSync(join(directory, 'cursor.gone'))).toBe(false);
    await second.close();
  });

  test('reads back from disk what does not fit into memory', async () => {
    const directory = makeDirectory();
    const fixture = await openFixture(directory, { memoryBytes: 100_000 });
    for (let at = 0; at < 30; at++) fixture.append(large(at, 1));
    expect(numbersOf(fixture.deliverAll())).toEqual(Array.from({ length: 30 }, (_, at) => at));
    expect(fixture.damages).toEqual([]);
    await fixture.close();
  });

  test('the mark of the last frame is known after a kill, of a frame without events too', async () => {
    const directory = makeDirectory();
    const instance = Buffer.alloc(24, 7);
    const first = await openFixture(directory);
    first.append(events(0, 1), { instance, records: 10, held: 2 });
    expect((await openFixture(copyAsAfterKill(directory))).opened.mark).toEqual({
      instance,
      records: 10,
      held: 2,
    });
    first.opened.spool.mark({ instance, records: 25, held: 0 });
    const second = await openFixture(copyAsAfterKill(directory));
    expect(second.opened.mark).toEqual({ instance, records: 25, held: 0 });
    expect(second.deliverAll()).toEqual(events(0, 1));
  });

  test('one agent at a time', async () => {
    const directory = makeDirectory();
    const fixture = await openFixture(directory);
    await expect(openFixture(directory)).rejects.toThrow(/is in use by another agent/);
    await fixture.close();
    await (await openFixture(directory)).close();
  });

  test.each([
    [
      'is missing',
      (directory: string) => join(directory, 'none'),
      /does not exist; make it: install -d -m 0700/,
    ],
    [
      'is a file',
      (directory: string) => {
        writeFileSync(join(directory, 'file'), '');
        return join(directory, 'file');
      },
      /no directory/,
    ],
  ])('a directory that %s is refused with what to do', async (_, make, said) => {
    await expect(openFixture(make(makeDirectory()))).rejects.toThrow(said);
  });

  test('a read-only file system is refused', async () => {
    const accessSync = () => {
      throw systemError('EROFS');
    };
    await expect(openFixture(makeDirectory(), { files: { accessSync } })).rejects.toThrow(/read-only/);
  });
});

describe('when it is full', () => {
  const fill = async (whenFull: 'block' | 'drop_oldest' | 'drop_newest') => {
    const directory = makeDirectory();
    const fixture = await openFixture(directory, { maxBytes: 1 << 20, memoryBytes: 1 << 17, whenFull });
    for (let at = 0; at < 40; at++) fixture.append(large(at, 1));
    return { directory, fixture };
  };

  test('block: it says so, keeps what comes all the same, and has room again', async () => {
    const { fixture } = await fill('block');
    expect(fixture.opened.spool.full).toBe(true);
    expect(numbersOf(fixture.deliverAll())).toHaveLength(40);
    expect(fixture.opened.spool.full).toBe(false);
    await fixture.close();
  });

  test('drop_newest: keeps the oldest, counts the others', async () => {
    const { fixture } = await fill('drop_newest');
    expect(fixture.opened.spool.full).toBe(false);
    const kept = numbersOf(fixture.deliverAll());
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, at) => at));
    expect(fixture.account()).toMatchObject({
      delivered: kept.length,
      dropped: { spool_full: 40 - kept.length },
      queued: 0,
      spooled: 0,
    });
    expect(kept.length).toBeGreaterThan(20);
    await fixture.close();
  });

  test('drop_oldest: keeps the newest, counts the others, and nothing that is in flight', async () => {
    const directory = makeDirectory();
    const fixture = await openFixture(directory, { maxBytes: 1 << 20, whenFull: 'drop_oldest' });
    fixture.append(large(0, 1));
    const [inFlight] = fixture.takeAll();
    for (let at = 1; at < 60; at++) fixture.append(large(at, 1));
    expect(fixture.opened.spool.bytes).toBeLessThanOrEqual(1 << 20);
    // The agent is killed while the first is in flight: it comes again.
    const after = await openFixture(copyAsAfterKill(directory));
    expect(numbersOf(after.deliverAll())[0]).toBe(0);
    expect(after.account()).toMatchObject({ dropped: {}, spooled: 0 });
    if (inFlight === undefined) throw new Error('nothing was taken');
    acknowledge(fixture.account(), 1);
    fixture.reader().settle(inFlight);
    const kept = numbersOf(fixture.deliverAll());
    // The segment of the one in flight holds one more.
    expect(kept[0]).toBe(1);
    expect(kept.at(-1)).toBe(59);
    expect(kept.length + (fixture.account().dropped['spool_full'] ?? 0)).toBe(59);
    expect(kept.length).toBeGreaterThan(18);
    expect(fixture.account()).toMatchObject({ queued: 0, spooled: 0, in_flight: 0 });
    await fixture.close();
  });
});

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
    fixture.append(large(0, 1));
    fail(true);
    fixture.append(large(1, 1));
    expect(fixture.faults).toEqual([
      expect.stringMatching(
        /the disk is full; events wait in memory, up to 100000 bytes, then reading pauses/,
      ),
    ]);
    expect(fixture.account()).toMatchObject({ spooled: 1, queued: 1 });
    expect(fixture.opened.spool.full).toBe(false);
    fixture.append(large(2, 1));
    fixture.append(large(3, 1));
    expect(fixture.opened.spool.full).toBe(true);
    expect(numbersOf(fixture.deliverAll())).toEqual([0, 1, 2, 3]);
    expect(fixture.opened.spool.full).toBe(false);
    expect(fixture.account()).toMatchObject({ delivered: 4, queued: 0, spooled: 0, in_flight: 0 });
    await fixture.close();
  });

  test('when it does again, what waited in memory is written, in order', async () => {
    const { fixture, directory, fail } = await openFailing('EIO');
    fixture.append(large(0, 1));
    fail(true);
    fixture.append(large(1, 1));
    fixture.append(large(2, 1));
    fail(false);
    fixture.append(large(3, 1));
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
    fixture.append(large(0, 1));
    fail(true);
    fixture.append(large(1, 1));
    fixture.append(large(2, 1));
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
    for (let at = 0; at < 10; at++) fixture.append(large(at, 1));
    room = used() + 20_000;
    for (let at = 10; at < 20; at++) fixture.append(large(at, 1));
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
    for (let at = 0; at < 4; at++) fixture.append(large(at, 1));
    disk.isReadOnly = true;
    fixture.append(large(4, 1));
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
    fixture.append(large(0, 1));
    fixture.append(large(1, 1));
    rmSync(directory, { recursive: true });
    fixture.append(large(2, 1));
    await until(() => fixture.faults.some((fault) => fault.includes('the directory was removed')));
    await until(() => fs.existsSync(directory));
    fixture.append(large(3, 1));
    const got = numbersOf(fixture.deliverAll());
    expect(got).toContain(3);
    const { dropped, delivered } = fixture.account();
    expect(delivered + (dropped['spool_damaged'] ?? 0)).toBe(4);
    expect(fixture.account()).toMatchObject({ queued: 0, spooled: 0, in_flight: 0 });
    await fixture.close();
    mkdirSync(directory, { recursive: true });
  });
});
