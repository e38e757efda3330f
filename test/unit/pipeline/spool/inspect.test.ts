import * as fs from 'node:fs';
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cursorText } from '../../../../src/pipeline/spool/disk/cursor.ts';
import { systemFiles } from '../../../../src/pipeline/spool/disk/files.ts';
import { SEGMENT_HEADER_BYTES } from '../../../../src/pipeline/spool/disk/frame.ts';
import { inspectSpool } from '../../../../src/pipeline/spool/inspect.ts';
import { type VerifyTotals, verifySpool } from '../../../../src/pipeline/spool/verify.ts';
import { copyAsAfterKill, events, makeDirectory, openFixture, segmentNames } from './fixture.ts';

interface Place {
  readonly file: string;
  readonly offset: number;
  readonly what: string;
}

function verify(directory: string, files = systemFiles) {
  const damages: Place[] = [];
  const notes: Place[] = [];
  let progress = 0;
  const totals: VerifyTotals = verifySpool(directory, files, {
    damage: (file, offset, what) => damages.push({ file, offset, what }),
    note: (file, offset, what) => notes.push({ file, offset, what }),
    progress(bytes) {
      progress += bytes;
    },
  });
  return { totals, damages, notes, progress };
}

/** Everything that can be seen of a directory from outside. */
const snapshotOf = (directory: string) =>
  readdirSync(directory).map((name) => {
    const { mtimeMs, ino, mode } = statSync(join(directory, name));
    return { name, mtimeMs, ino, mode, content: readFileSync(join(directory, name), 'latin1') };
  });

/** Three frames of three events in one sealed file, none settled. */
async function sealedSpool() {
  const directory = makeDirectory();
  const fixture = await openFixture(directory);
  for (const at of [0, 3, 6]) fixture.append(events(at, 3));
  await fixture.close();
  const [name = ''] = segmentNames(directory);
  return { directory, name, path: join(directory, name), bytes: readFileSync(join(directory, name)) };
}

describe('inspect', () => {
  test('lists files and sinks beside an agent that works, and changes nothing', async () => {
    const directory = makeDirectory();
    const first = await openFixture(directory, { sinks: ['quick', 'slow'] });
    first.append(events(0, 2));
    first.append(events(2, 5));
    first.deliverAll('quick');
    await first.close();
    const fixture = await openFixture(directory, { sinks: ['quick', 'slow'] });
    fixture.append(events(7, 3));
    const before = snapshotOf(directory);
    const { segments, cursors } = inspectSpool(directory, ['slow', 'new'], systemFiles);
    expect(snapshotOf(directory)).toEqual(before);
    expect(segments.map(({ oldestMs: _, ...rest }) => rest)).toEqual([
      {
        file: '00000000000000000000-00000000000000000007.segment',
        state: 'sealed',
        first: 0,
        end: 7,
        events: 7,
        bytes: statSync(join(directory, segmentNames(directory)[0] ?? '')).size,
      },
      {
        file: '00000000000000000007.open',
        state: 'open',
        first: 7,
        end: 10,
        events: 3,
        bytes: statSync(join(directory, segmentNames(directory)[1] ?? '')).size,
      },
    ]);
    for (const { oldestMs } of segments) expect(Math.abs((oldestMs ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(cursors).toEqual([
      { sink: 'new', ordinal: null, waiting: 10, state: 'missing' },
      { sink: 'quick', ordinal: 7, waiting: 3, state: 'found' },
      { sink: 'slow', ordinal: null, waiting: 10, state: 'missing' },
    ]);
  });

  test('follows a file that is sealed or removed meanwhile', async () => {
    const { directory, name, path } = await sealedSpool();
    const open = join(directory, `${'0'.repeat(20)}.open`);
    renameSync(path, open);
    const sealing = {
      ...fs,
      openSync(...parts: Parameters<typeof fs.openSync>) {
        if (parts[0] === open && fs.existsSync(open)) renameSync(open, path);
        return fs.openSync(...parts);
      },
    };
    expect(inspectSpool(directory, [], sealing).segments).toMatchObject([
      { file: name, state: 'sealed', end: 9 },
    ]);
    const removing = {
      ...fs,
      openSync(...parts: Parameters<typeof fs.openSync>) {
        rmSync(path, { force: true });
        return fs.openSync(...parts);
      },
    };
    expect(verify(directory, removing)).toMatchObject({ totals: { files: 0 }, damages: [] });
  });

  test('a sink with a damaged cursor waits for everything', async () => {
    const { directory } = await sealedSpool();
    writeFileSync(join(directory, 'cursor.one'), 'ktc-cursor 1 6 00000000\n');
    expect(inspectSpool(directory, [], systemFiles).cursors).toEqual([
      { sink: 'one', ordinal: null, waiting: 9, state: 'damaged' },
    ]);
    expect(verify(directory).damages).toMatchObject([{ file: 'cursor.one', offset: 0 }]);
    writeFileSync(join(directory, 'cursor.one'), cursorText(6));
    expect(verify(directory).damages).toEqual([]);
  });
});

describe('verify', () => {
  test('finds a whole spool whole, and reads all of it', async () => {
    const { directory, bytes } = await sealedSpool();
    expect(verify(directory)).toEqual({
      totals: { files: 1, frames: 3, events: 9, bytes: bytes.length },
      damages: [],
      notes: [],
      progress: bytes.length - SEGMENT_HEADER_BYTES,
    });
  });

  test('finds every flipped bit, in the frame where it is', async () => {
    const { directory, name, path, bytes } = await sealedSpool();
    const frameBytes = (bytes.length - SEGMENT_HEADER_BYTES) / 3;
    for (let place = 0; place < bytes.length; place++) {
      const flipped = Buffer.from(bytes);
      flipped[place] = (flipped[place] ?? 0) ^ (1 << (place % 8));
      writeFileSync(path, flipped);
      const { damages, totals } = verify(directory);
      const frame = Math.floor((place - SEGMENT_HEADER_BYTES) / frameBytes);
      const offset = place < SEGMENT_HEADER_BYTES ? 0 : SEGMENT_HEADER_BYTES + frame * frameBytes;
      expect(damages, `byte ${place}`).toMatchObject([{ file: name, offset }]);
      expect(totals.frames).toBe(place < SEGMENT_HEADER_BYTES ? 3 : 2);
    }
  });

  test('finds that a sealed file was cut, wherever; in an open one that is no damage', async () => {
    const { directory, path, bytes } = await sealedSpool();
    const open = join(directory, `${'0'.repeat(20)}.open`);
    const frameBytes = (bytes.length - SEGMENT_HEADER_BYTES) / 3;
    for (let length = 0; length < bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length));
      expect(verify(directory).damages.length, `${length} bytes, sealed`).toBeGreaterThan(0);
      renameSync(path, open);
      const found = verify(directory);
      expect(found.damages, `${length} bytes, open`).toEqual([]);
      const isTorn = length > SEGMENT_HEADER_BYTES && (length - SEGMENT_HEADER_BYTES) % frameBytes !== 0;
      expect(found.notes, `${length} bytes, open`).toHaveLength(isTorn ? 1 : 0);
      renameSync(open, path);
    }
  });

  test('finds frames and files that are not where they belong', async () => {
    const { directory, name, path, bytes } = await sealedSpool();
    const frameBytes = (bytes.length - SEGMENT_HEADER_BYTES) / 3;
    const frame = (index: number) => bytes.subarray(16 + index * frameBytes, 16 + (index + 1) * frameBytes);
    writeFileSync(path, Buffer.concat([bytes.subarray(0, 16), frame(0), frame(2), frame(1)]));
    expect(verify(directory).damages.map(({ what }) => what)).toEqual([
      'a frame begins with event 6, where 3 was due',
      'a frame begins with event 3, where 9 was due',
      '3 events are missing, up to the 9 of its name',
    ]);
    writeFileSync(path, bytes);
    writeFileSync(join(directory, `${'0'.repeat(20)}-${'0'.repeat(19)}6.segment`), bytes);
    expect(verify(directory).damages).toMatchObject([
      {
        file: `${'0'.repeat(20)}-${'0'.repeat(19)}6.segment`,
        what: 'has events up to 9, and its name says 6',
      },
      { file: name, offset: 0, what: 'begins with event 0: an older file has it too' },
    ]);
  });

  test('works beside an agent, and sees only whole frames', async () => {
    const directory = makeDirectory();
    const fixture = await openFixture(directory);
    fixture.append(events(0, 4));
    expect(verify(directory)).toMatchObject({ totals: { frames: 1, events: 4 }, damages: [], notes: [] });
    const copy = copyAsAfterKill(directory);
    expect(fixture.deliverAll()).toEqual(events(0, 4));
    expect((await openFixture(copy)).deliverAll()).toEqual(events(0, 4));
  });
});
