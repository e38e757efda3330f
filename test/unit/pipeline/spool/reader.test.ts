/** One sink's way through files that are no longer in memory, over damage. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../../../../src/pipeline/spool/disk/frame.ts';
import { textsOf } from '../scripted-sink.ts';
import {
  events,
  makeDirectory,
  openFixture,
  type SpoolFixtureOptions,
  segmentNames,
  systemError,
} from './fixture.ts';

const EVENTS_PER_FRAME = 2;
const FRAME_BYTES = FRAME_HEADER_BYTES + Buffer.byteLength(`${events(0, EVENTS_PER_FRAME).join('\n')}\n`);
const placeOf = (frame: number) => SEGMENT_HEADER_BYTES + frame * FRAME_BYTES;

/** A spool of which nothing that is on disk is in memory, with `frames` frames in one file. */
async function openOnDisk(frames: number, options: SpoolFixtureOptions = {}) {
  const directory = makeDirectory();
  const opened: string[] = [];
  const descriptors = new Set<number>();
  const disk: { fault: Error | null; readFault: Error | null } = { fault: null, readFault: null };
  const fixture = await openFixture(directory, {
    memoryBytes: 1,
    ...options,
    files: {
      readSync: ((...parts: Parameters<typeof fs.readSync>) => {
        if (disk.readFault !== null) throw disk.readFault;
        return fs.readSync(...parts);
      }) as typeof fs.readSync,
      openSync(path, flags, mode) {
        const isRead = flags === fs.constants.O_RDONLY && String(path).startsWith(`${directory}/`);
        if (isRead && disk.fault !== null) throw disk.fault;
        if (isRead) opened.push(String(path).slice(directory.length + 1));
        const descriptor = fs.openSync(path, flags, mode);
        descriptors.add(descriptor);
        return descriptor;
      },
      closeSync(descriptor) {
        descriptors.delete(descriptor);
        fs.closeSync(descriptor);
      },
    },
  });
  for (let frame = 0; frame < frames; frame++)
    fixture.append(events(frame * EVENTS_PER_FRAME, EVENTS_PER_FRAME));
  const [name = ''] = segmentNames(directory);
  return {
    fixture,
    directory,
    name,
    path: join(directory, name),
    disk,
    descriptors,
    /** The files that were opened to be read since the last look. */
    filesRead: () => opened.splice(0),
    /** Writes over a byte of a frame. */
    damage(frame: number, offset: number) {
      const descriptor = fs.openSync(join(directory, name), 'r+');
      fs.writeSync(descriptor, 'X', placeOf(frame) + offset);
      fs.closeSync(descriptor);
    },
  };
}

describe('a file', () => {
  test('is opened once for all of its frames, and closed in the end', async () => {
    const { fixture, name, filesRead, descriptors } = await openOnDisk(5);
    expect(fixture.deliverAll()).toEqual(events(0, 10));
    expect(filesRead()).toEqual([name]);
    await fixture.close();
    expect(descriptors).toEqual(new Set());
  });

  test('is read on where the last frame ended, when more is written to it', async () => {
    const { fixture, filesRead } = await openOnDisk(1);
    expect(fixture.deliverAll()).toEqual(events(0, 2));
    fixture.append(events(2, 2));
    expect(fixture.deliverAll()).toEqual(events(2, 2));
    expect(filesRead()).toHaveLength(1);
    expect(fixture.damages).toEqual([]);
  });

  test('that cannot be opened is lost: its events are counted, and it is given up', async () => {
    const { fixture, path, directory, disk } = await openOnDisk(3);
    disk.fault = systemError('EACCES');
    expect(fixture.takeAll()).toEqual([]);
    expect(fixture.damages).toEqual([{ problem: `${path}: EACCES: as the test wishes, write`, events: 6 }]);
    expect(fixture.account()).toMatchObject({ spooled: 0, dropped: { spool_damaged: 6 } });
    expect(segmentNames(directory)).toEqual([]);
    disk.fault = null;
    fixture.append(events(6, 2));
    expect(fixture.deliverAll()).toEqual(events(6, 2));
  });

  test('that a bug does not open is not lost: the bug is thrown', async () => {
    const { fixture, disk } = await openOnDisk(1);
    disk.fault = new Error('a bug');
    expect(() => fixture.takeAll()).toThrow('a bug');
    disk.fault = null;
    expect(fixture.deliverAll()).toEqual(events(0, 2));
  });
});

describe('no more files are open than the one that is written and the one that is read', () => {
  const large = (event: number) => [`{"event":${event},"x":"${'x'.repeat(70_000)}"}`];

  test('when one is read after the other', async () => {
    const { fixture, descriptors, directory } = await openOnDisk(1, { maxBytes: 1 << 20 });
    for (let event = 2; event < 6; event++) fixture.append(large(event));
    expect(segmentNames(directory).length).toBeGreaterThan(3);
    expect(fixture.deliverAll()).toHaveLength(6);
    expect(descriptors.size).toBe(2);
  });

  test('when the one that was read ends before its time', async () => {
    const { fixture, path, descriptors } = await openOnDisk(2);
    fs.truncateSync(path, placeOf(1));
    fixture.deliverAll();
    expect(fixture.damages).toHaveLength(1);
    expect(descriptors.size).toBe(1);
  });

  test('when the one that was read is given up', async () => {
    const { fixture, descriptors, filesRead } = await openOnDisk(2, {
      whenFull: 'drop_oldest',
      maxBytes: 200_000,
      memoryBytes: 100_000,
    });
    // No room in memory for what came before.
    for (let event = 4; event < 6; event++) fixture.append(large(event));
    const first = fixture.reader().take({ maxEvents: 2, maxBytes: 1 << 20 });
    expect(first && fixture.deliver(first)).toEqual(events(0, 2));
    expect(filesRead()).toHaveLength(1);
    expect(descriptors.size).toBe(2);
    for (let event = 6; event < 9; event++) fixture.append(large(event));
    expect(fixture.account().dropped).not.toEqual({});
    expect(descriptors.size).toBe(1);
  });

  test('when the system refuses to read on', async () => {
    const { fixture, descriptors, disk } = await openOnDisk(2);
    disk.readFault = systemError('EIO');
    expect(fixture.takeAll()).toEqual([]);
    // What is written was given up with it.
    expect(descriptors.size).toBe(0);
    disk.readFault = null;
  });
});

describe('damage', () => {
  test('of a payload costs its frame, and is told with the file and what is wrong', async () => {
    const { fixture, path, damage } = await openOnDisk(3);
    damage(1, FRAME_HEADER_BYTES + 3);
    expect(fixture.deliverAll()).toEqual([...events(0, 2), ...events(4, 2)]);
    expect(fixture.damages).toEqual([{ problem: `${path}: a frame is not what was written`, events: 2 }]);
    expect(fixture.account()).toMatchObject({ spooled: 0, dropped: { spool_damaged: 2 } });
  });

  test('of a header is told when the next frame is found', async () => {
    const { fixture, path, damage } = await openOnDisk(4);
    for (const frame of [1, 2]) damage(frame, 20);
    expect(fixture.deliverAll()).toEqual([...events(0, 2), ...events(6, 2)]);
    expect(fixture.damages).toEqual([{ problem: `${path}: frames before this one are damaged`, events: 4 }]);
    expect(fixture.account()).toMatchObject({ spooled: 0, dropped: { spool_damaged: 4 } });
  });

  test('to the end of a file is told with what is missing', async () => {
    const { fixture, path } = await openOnDisk(3);
    fs.truncateSync(path, placeOf(1) + 5);
    expect(fixture.deliverAll()).toEqual(events(0, 2));
    expect(fixture.damages).toEqual([
      { problem: `${path}: the rest of the file is missing or is no frame`, events: 4 },
    ]);
    expect(fixture.account()).toMatchObject({ spooled: 0, dropped: { spool_damaged: 4 } });
  });

  test('in the middle is counted once, whatever the batches are made of', async () => {
    const { fixture, damage } = await openOnDisk(5);
    for (const frame of [1, 3]) damage(frame, FRAME_HEADER_BYTES);
    const batch = fixture.reader().take({ maxEvents: 100, maxBytes: 1 << 20 });
    expect(batch && textsOf(batch)).toEqual([...events(0, 2), ...events(4, 2), ...events(8, 2)]);
    expect(fixture.account()).toMatchObject({ spooled: 0, in_flight: 6, dropped: { spool_damaged: 4 } });
  });
});

describe('a batch', () => {
  const BATCH_BYTES = Buffer.byteLength(`${events(0, EVENTS_PER_FRAME).join('\n')}\n`);

  test.each([
    [4, 1 << 20, 4],
    [3, 1 << 20, 2],
    [100, 2 * BATCH_BYTES, 4],
    [100, 2 * BATCH_BYTES - 1, 2],
    [0, 0, 2],
  ])('within %d events and %d bytes has %d', async (maxEvents, maxBytes, taken) => {
    const { fixture } = await openOnDisk(3);
    const batch = fixture.reader().take({ maxEvents, maxBytes });
    expect(batch && textsOf(batch)).toEqual(events(0, taken));
    expect(batch?.id).toBe(0);
    expect(fixture.account()).toMatchObject({ spooled: 6 - taken, in_flight: taken });
  });

  test('is told by the number of its first event', async () => {
    const { fixture } = await openOnDisk(3);
    expect(fixture.takeAll().map(({ id }) => id)).toEqual([0, 2, 4]);
  });

  test('is settled once', async () => {
    const { fixture } = await openOnDisk(2);
    const [first, second] = fixture.takeAll();
    if (first === undefined || second === undefined) throw new Error('nothing was taken');
    expect(fixture.reader().cursor).toBe(0);
    fixture.deliver(second);
    expect(fixture.reader().cursor).toBe(0);
    fixture.deliver(first);
    expect(fixture.reader().cursor).toBe(4);
    for (const batch of [first, second])
      expect(() => fixture.reader().settle(batch)).toThrow(
        `batch ${batch.id} was not taken, or is settled already`,
      );
  });
});
