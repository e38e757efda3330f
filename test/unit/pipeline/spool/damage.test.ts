import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { cursorText } from '../../../../src/pipeline/spool/disk/cursor.ts';
import { FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../../../../src/pipeline/spool/disk/frame.ts';
import { copyAsAfterKill, events, makeDirectory, openFixture, segmentNames } from './fixture.ts';

const FRAMES = 3;
const EVENTS_PER_FRAME = 3;
const ALL = events(0, FRAMES * EVENTS_PER_FRAME);
const MARK = { instance: Buffer.from('0123456789abcdef01234567'), records: 77, held: 5 };

/** One segment of three frames of equal size, and how a kill leaves it. */
async function writeSegment(): Promise<{ name: string; bytes: Buffer }> {
  const directory = makeDirectory();
  const fixture = await openFixture(directory);
  for (let at = 0; at < ALL.length; at += EVENTS_PER_FRAME)
    fixture.append(ALL.slice(at, at + EVENTS_PER_FRAME), MARK);
  const [name = ''] = segmentNames(directory);
  return { name, bytes: readFileSync(join(directory, name)) };
}

/** Delivers all that can be read of a spool with this one file. */
async function deliver(name: string, bytes: Buffer) {
  const directory = makeDirectory();
  writeFileSync(join(directory, name), bytes);
  const fixture = await openFixture(directory);
  const { recovered } = fixture.account();
  const delivered = fixture.deliverAll();
  const { dropped, spooled, in_flight } = fixture.account();
  await fixture.close();
  return { recovered, delivered, damaged: dropped['spool_damaged'] ?? 0, left: spooled + in_flight, fixture };
}

const sealedName = `${'0'.repeat(20)}-${String(ALL.length).padStart(20, '0')}.segment`;

describe('the format', () => {
  test('is the documented one, byte for byte', async () => {
    const open = await writeSegment();
    const payload = Buffer.from(`${ALL.slice(0, 3).join('\n')}\n`);
    const segment = Buffer.alloc(16);
    segment.write('KTCSPOOL');
    segment.writeUInt32LE(1, 8);
    segment.writeUInt32LE(crc32(segment.subarray(0, 12)), 12);
    const header = Buffer.alloc(72);
    header.write('KTCF');
    header.writeUInt32LE(payload.length, 8);
    header.writeUInt32LE(crc32(payload), 12);
    header.writeBigUInt64LE(0n, 16);
    header.writeUInt32LE(3, 24);
    header.writeUInt32LE(5, 28);
    // The wall clock of the oldest event is the test's own.
    open.bytes.copy(header, 32, 16 + 32, 16 + 40);
    header.writeBigUInt64LE(77n, 40);
    MARK.instance.copy(header, 48);
    header.writeUInt32LE(crc32(header.subarray(8)), 4);
    const expected = Buffer.concat([segment, header, payload]);
    expect(open.bytes.subarray(0, expected.length).equals(expected)).toBe(true);
    expect(Math.abs(Number(header.readBigUInt64LE(32)) - Date.now())).toBeLessThan(60_000);
  });

  test('CRC-32 is that of IEEE 802.3', () => {
    expect(crc32('123456789')).toBe(0xcbf43926);
  });

  test('of another version is refused, and not touched', async () => {
    const open = await writeSegment();
    const bytes = Buffer.from(open.bytes);
    bytes.writeUInt32LE(2, 8);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
    const directory = makeDirectory();
    writeFileSync(join(directory, open.name), bytes);
    await expect(openFixture(directory)).rejects.toThrow(/format version 2, this agent knows version 1/);
    expect(readFileSync(join(directory, open.name)).equals(bytes)).toBe(true);
  });
});

describe('one flipped bit', () => {
  test.each(['sealed', 'open'])(
    'in any byte of a file that is %s costs no more than its frame, and is counted',
    async (kind) => {
      const open = await writeSegment();
      const frameBytes = (open.bytes.length - SEGMENT_HEADER_BYTES) / FRAMES;
      for (let place = 0; place < open.bytes.length; place++) {
        const bytes = Buffer.from(open.bytes);
        bytes[place] = (bytes[place] ?? 0) ^ (1 << (place % 8));
        const result = await deliver(kind === 'sealed' ? sealedName : open.name, bytes);
        const frame =
          place < SEGMENT_HEADER_BYTES ? null : Math.floor((place - SEGMENT_HEADER_BYTES) / frameBytes);
        const whole = ALL.filter((_, index) => Math.floor(index / EVENTS_PER_FRAME) !== frame);
        expect(result.delivered, `byte ${place}`).toEqual(whole);
        expect(result.left).toBe(0);
        expect(result.recovered, `byte ${place}`).toBe(result.delivered.length + result.damaged);
        // Whether a damaged end of an unsealed file was ever a frame cannot be known.
        if (kind === 'sealed') expect(result.recovered).toBe(ALL.length);
      }
    },
    60_000,
  );
});

describe('a file cut off', () => {
  test.each(['sealed', 'open'])(
    'at any byte keeps every whole frame before it (%s file)',
    async (kind) => {
      const open = await writeSegment();
      for (let length = 0; length < open.bytes.length; length++) {
        const result = await deliver(
          kind === 'sealed' ? sealedName : open.name,
          open.bytes.subarray(0, length),
        );
        let end = SEGMENT_HEADER_BYTES;
        let frames = 0;
        for (; frames < FRAMES; frames++) {
          end += FRAME_HEADER_BYTES + open.bytes.readUInt32LE(end + 8);
          if (end > length) break;
        }
        expect(result.delivered, `${length} bytes`).toEqual(ALL.slice(0, frames * EVENTS_PER_FRAME));
        expect(result.recovered).toBe(kind === 'sealed' ? ALL.length : result.delivered.length);
        expect(result.damaged).toBe(result.recovered - result.delivered.length);
      }
    },
    60_000,
  );

  test('is continued behind its last whole frame', async () => {
    const open = await writeSegment();
    const directory = makeDirectory();
    writeFileSync(join(directory, open.name), open.bytes.subarray(0, open.bytes.length - 5));
    const fixture = await openFixture(directory);
    fixture.append(['{"event":"new"}']);
    expect(fixture.deliverAll()).toEqual([...ALL.slice(0, 6), '{"event":"new"}']);
    expect(fixture.damages).toEqual([]);
  });
});

describe('a cursor', () => {
  const openWith = async (text: string) => {
    const open = await writeSegment();
    const directory = makeDirectory();
    writeFileSync(join(directory, open.name), open.bytes);
    writeFileSync(join(directory, 'cursor.one'), text);
    return openFixture(directory);
  };

  test.each([
    '',
    'ktc-cursor 1 6\n',
    cursorText(6).replace('6', '9'),
    '\0'.repeat(40),
    'ktc-cursor 1 -3 00000000\n',
  ])('of %j is no cursor: everything in the files comes again, and the operator is told', async (text) => {
    const fixture = await openWith(text);
    expect(fixture.notes).toEqual([expect.stringContaining('cursor.one is damaged')]);
    expect(fixture.deliverAll()).toEqual(ALL);
  });

  test('that is whole skips what was settled', async () => {
    const fixture = await openWith(cursorText(6));
    expect(fixture.notes).toEqual([]);
    expect(fixture.account().recovered).toBe(3);
    expect(fixture.deliverAll()).toEqual(ALL.slice(6));
  });

  test('ahead of the files, whose end was torn after it was delivered, hides nothing that comes', async () => {
    const fixture = await openWith(cursorText(100));
    expect(fixture.account().recovered).toBe(0);
    fixture.append(['{"event":"new"}']);
    expect(fixture.deliverAll()).toEqual(['{"event":"new"}']);
  });

  test('behind the oldest file begins with that', async () => {
    const directory = makeDirectory();
    const first = await openFixture(directory);
    first.append(events(0, 2));
    const copy = copyAsAfterKill(directory);
    copyFileSync(
      join(copy, segmentNames(copy)[0] ?? ''),
      join(copy, `${'0'.repeat(18)}50-${'0'.repeat(18)}52.segment`),
    );
    // Its frames say 0 and 1: they are not what the name promises.
    const second = await openFixture(copy);
    expect(second.account().recovered).toBe(4);
    expect(second.deliverAll()).toEqual(events(0, 2));
    expect(second.account()).toMatchObject({ dropped: { spool_damaged: 2 }, spooled: 0 });
  });
});
