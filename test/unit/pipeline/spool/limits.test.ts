/** Where room ends, to the byte, and what the spool does there. */
import * as fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../../../../src/pipeline/spool/disk/frame.ts';
import { events, makeDirectory, openFixture, type SpoolFixtureOptions, systemError } from './fixture.ts';

/** Of an event and its line feed. */
const EVENT_BYTES = Buffer.byteLength(`${events(0, 1)[0]}\n`);
/** Of a file with so many frames of one event each. */
const fileBytes = (frames: number) => SEGMENT_HEADER_BYTES + frames * (FRAME_HEADER_BYTES + EVENT_BYTES);

/** A spool whose disk fails as long as `disk.fault` is an error, and counts how often it is asked. */
async function openOnDisk(options: SpoolFixtureOptions = {}) {
  const disk: { fault: Error | null; asked: number; nowMs: number } = { fault: null, asked: 0, nowMs: 0 };
  const fixture = await openFixture(makeDirectory(), {
    now: () => disk.nowMs,
    ...options,
    files: {
      writevSync(...parts: Parameters<typeof fs.writevSync>) {
        disk.asked++;
        if (disk.fault !== null) throw disk.fault;
        return fs.writevSync(...parts);
      },
    },
  });
  return { fixture, disk };
}

describe('with the policy to block', () => {
  test.each([
    [fileBytes(2) + 1, false],
    [fileBytes(2), true],
  ])('a spool of %d bytes for two frames is full: %s', async (maxBytes, full) => {
    const { fixture } = await openOnDisk({ maxBytes });
    for (const event of [0, 1]) fixture.append(events(event, 1));
    expect(fixture.opened.spool.bytes).toBe(fileBytes(2));
    expect(fixture.opened.spool.full).toBe(full);
  });

  test('a batch that comes all the same is kept on disk, and one that the disk refuses in memory', async () => {
    const { fixture, disk } = await openOnDisk({ maxBytes: 1, memoryBytes: EVENT_BYTES });
    fixture.append(events(0, 1));
    disk.fault = systemError('ENOSPC');
    for (const event of [1, 2]) fixture.append(events(event, 1));
    expect(fixture.opened.spool.memoryBytes).toBe(2 * EVENT_BYTES);
    expect(fixture.account()).toMatchObject({ spooled: 1, queued: 2, dropped: {} });
    expect(fixture.account().dropped).toEqual({});
    expect(fixture.deliverAll()).toEqual(events(0, 3));
  });

  test.each([
    [EVENT_BYTES + 1, false],
    [EVENT_BYTES, true],
  ])(
    'memory of %d bytes is full with one event that the disk does not take: %s',
    async (memoryBytes, full) => {
      const { fixture, disk } = await openOnDisk({ memoryBytes });
      disk.fault = systemError('ENOSPC');
      fixture.append(events(0, 1));
      expect(fixture.opened.spool.full).toBe(full);
      expect(fixture.opened.spool.problem).toBe(disk.fault.message);
    },
  );

  test('memory is full no more once the disk takes what waits there: being asked for room is enough', async () => {
    const { fixture, disk } = await openOnDisk({ memoryBytes: 1 });
    disk.fault = systemError('ENOSPC');
    fixture.append(events(0, 1));
    disk.fault = null;
    disk.nowMs += 1_000;
    expect(fixture.opened.spool.full).toBe(false);
    expect(fixture.account()).toMatchObject({ queued: 0, spooled: 1 });
    expect([fixture.recoveries, fixture.opened.spool.problem]).toEqual([1, null]);
  });

  test('the disk is not asked for memory that is not full', async () => {
    const { fixture, disk } = await openOnDisk();
    disk.fault = systemError('ENOSPC');
    fixture.append(events(0, 1));
    disk.nowMs += 10_000;
    const { asked } = disk;
    expect(fixture.opened.spool.full).toBe(false);
    expect(disk.asked).toBe(asked);
  });
});

describe('with the policy to drop the newest', () => {
  const dropNewest = (options: SpoolFixtureOptions) => openOnDisk({ whenFull: 'drop_newest', ...options });

  test('what fits to the byte is kept, and one byte more is dropped', async () => {
    const maxBytes = fileBytes(1) + EVENT_BYTES;
    for (const [limit, kept] of [
      [maxBytes, 2],
      [maxBytes - 1, 1],
    ] as const) {
      const { fixture } = await dropNewest({ maxBytes: limit });
      for (const event of [0, 1]) fixture.append(events(event, 1));
      expect(fixture.account()).toMatchObject({ spooled: kept, queued: 0 });
      expect(fixture.account().dropped).toEqual(kept === 2 ? {} : { spool_full: 1 });
    }
  });

  test('so is what the memory has room for, while the disk takes nothing', async () => {
    for (const [memoryBytes, kept] of [
      [2 * EVENT_BYTES, 2],
      [2 * EVENT_BYTES - 1, 1],
    ] as const) {
      const { fixture, disk } = await dropNewest({ memoryBytes });
      disk.fault = systemError('EIO');
      for (const event of [0, 1]) fixture.append(events(event, 1));
      expect(fixture.account()).toMatchObject({ spooled: 0, queued: kept });
      expect(fixture.account().dropped).toEqual(kept === 2 ? {} : { spool_full: 1 });
      expect(fixture.opened.spool.full).toBe(false);
    }
  });

  test('a disk that takes again what waits in memory makes room for the newest', async () => {
    const { fixture, disk } = await dropNewest({ memoryBytes: EVENT_BYTES });
    disk.fault = systemError('EIO');
    fixture.append(events(0, 1));
    disk.fault = null;
    disk.nowMs += 1_000;
    fixture.append(events(1, 1));
    expect(fixture.account()).toMatchObject({ spooled: 2, queued: 0 });
    expect(fixture.account().dropped).toEqual({});
  });
});

describe('with the policy to drop the oldest', () => {
  /** Two of them fill a file. */
  const large = (event: number) => [`{"event":${event},"x":"${'x'.repeat(40_000)}"}`];
  const eventsOf = (texts: readonly string[]) =>
    texts.map((text) => (JSON.parse(text) as { event: number }).event);
  const LARGE_FILE = SEGMENT_HEADER_BYTES + 2 * (FRAME_HEADER_BYTES + Buffer.byteLength(`${large(0)[0]}\n`));
  const LARGE_BYTES = Buffer.byteLength(`${large(0)[0]}\n`);
  const dropOldest = (options: SpoolFixtureOptions) => openOnDisk({ whenFull: 'drop_oldest', ...options });

  test('nothing is given up for what fits to the byte, and one file for one byte more', async () => {
    const maxBytes = 2 * LARGE_FILE + LARGE_BYTES;
    for (const [limit, dropped] of [
      [maxBytes, {}],
      [maxBytes - 1, { spool_full: 2 }],
    ] as const) {
      const { fixture } = await dropOldest({ maxBytes: limit });
      for (let event = 0; event < 5; event++) fixture.append(large(event));
      expect(fixture.account().dropped).toEqual(dropped);
      expect(eventsOf(fixture.deliverAll())).toEqual('spool_full' in dropped ? [2, 3, 4] : [0, 1, 2, 3, 4]);
    }
  });

  test('every sink counts the events that it had not taken yet, and no others', async () => {
    const { fixture } = await dropOldest({ maxBytes: 2 * LARGE_FILE, sinks: ['quick', 'slow'] });
    for (let event = 0; event < 3; event++) fixture.append(large(event));
    expect(eventsOf(fixture.deliverAll('quick'))).toEqual([0, 1, 2]);
    for (let event = 3; event < 5; event++) fixture.append(large(event));
    expect(fixture.account('quick').dropped).toEqual({});
    expect(fixture.account('quick').spooled).toBe(2);
    expect(fixture.account('slow').dropped).toEqual({ spool_full: 2 });
    expect(fixture.account('slow').spooled).toBe(3);
    expect(eventsOf(fixture.deliverAll('quick'))).toEqual([3, 4]);
    expect(eventsOf(fixture.deliverAll('slow'))).toEqual([2, 3, 4]);
  });

  test('a file with an event in flight at any sink is passed over for the next', async () => {
    const { fixture } = await dropOldest({ maxBytes: 2 * LARGE_FILE, sinks: ['idle', 'busy'] });
    for (let event = 0; event < 4; event++) fixture.append(large(event));
    // The second of two: the file is needed to its last event.
    const takeOne = () => fixture.reader('busy').take({ maxEvents: 1, maxBytes: 1 });
    const settled = takeOne();
    expect(settled && eventsOf(fixture.deliver(settled, 'busy'))).toEqual([0]);
    const inFlight = takeOne();
    fixture.append(large(4));
    for (const sink of ['idle', 'busy']) expect(fixture.account(sink).dropped).toEqual({ spool_full: 2 });
    expect(inFlight && eventsOf(fixture.deliver(inFlight, 'busy'))).toEqual([1]);
    expect(eventsOf(fixture.deliverAll('busy'))).toEqual([4]);
    expect(eventsOf(fixture.deliverAll('idle'))).toEqual([0, 1, 4]);
  });

  test.each(['ENOSPC', 'EDQUOT'])('%s of the disk gives up the oldest file too', async (code) => {
    const { fixture, disk } = await dropOldest({ memoryBytes: 1 << 20 });
    for (let event = 0; event < 4; event++) fixture.append(large(event));
    disk.fault = systemError(code);
    fixture.append(large(4));
    expect(fixture.account()).toMatchObject({ spooled: 0, queued: 1, dropped: { spool_full: 4 } });
  });

  test('another fault of the disk gives up nothing', async () => {
    const { fixture, disk } = await dropOldest({ memoryBytes: 1 << 20 });
    for (let event = 0; event < 4; event++) fixture.append(large(event));
    disk.fault = systemError('EIO');
    fixture.append(large(4));
    expect(fixture.account()).toMatchObject({ spooled: 4, queued: 1 });
    expect(fixture.account().dropped).toEqual({});
  });
});

describe('a disk that takes nothing', () => {
  test('is asked again after a second, not before, and its fault is told each time', async () => {
    const { fixture, disk } = await openOnDisk();
    disk.fault = systemError('EIO');
    fixture.append(events(0, 1));
    expect(fixture.faults).toHaveLength(1);
    const { asked } = disk;
    disk.nowMs += 999;
    fixture.append(events(1, 1));
    expect(disk.asked).toBe(asked);
    disk.nowMs += 1;
    fixture.append(events(2, 1));
    expect(disk.asked).toBeGreaterThan(asked);
    expect(fixture.faults).toHaveLength(2);
    expect(fixture.recoveries).toBe(0);
  });

  test('is told to have recovered once, when it takes what waits', async () => {
    const { fixture, disk } = await openOnDisk();
    fixture.append(events(0, 1));
    disk.fault = systemError('EIO');
    fixture.append(events(1, 1));
    disk.fault = null;
    disk.nowMs += 1_000;
    for (const event of [2, 3]) fixture.append(events(event, 1));
    expect(fixture.recoveries).toBe(1);
    expect(fixture.opened.spool.memoryBytes).toBe(0);
  });

  test('is no excuse for a bug: that is thrown', async () => {
    const { fixture, disk } = await openOnDisk();
    disk.fault = new Error('a bug');
    expect(() => fixture.append(events(0, 1))).toThrow('a bug');
    disk.fault = null;
  });
});

describe('a mark', () => {
  const mark = { instance: Buffer.alloc(24, 1), records: 7, held: 0 };

  test('without an event is not written before the events that wait in memory', async () => {
    const { fixture, disk } = await openOnDisk();
    disk.fault = systemError('EIO');
    fixture.append(events(0, 1));
    disk.fault = null;
    disk.nowMs += 10_000;
    const { asked } = disk;
    fixture.opened.spool.mark(mark);
    expect(disk.asked).toBe(asked);
    expect(fixture.account()).toMatchObject({ queued: 1, spooled: 0 });
  });

  test('adds nothing to any account', async () => {
    const { fixture } = await openOnDisk();
    fixture.opened.spool.mark(mark);
    expect(fixture.account()).toMatchObject({ queued: 0, spooled: 0, in_flight: 0 });
    expect(fixture.opened.spool.bytes).toBe(SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES);
    expect(fixture.takeAll()).toEqual([]);
  });
});
