import * as fs from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type SpoolFiles, systemFiles, withFile } from '../../../../../src/pipeline/spool/disk/files.ts';
import {
  encodeFrameHeader,
  encodeSegmentHeader,
  FRAME_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
} from '../../../../../src/pipeline/spool/disk/frame.ts';
import {
  findSegments,
  listSegments,
  pending,
  readVersion,
} from '../../../../../src/pipeline/spool/disk/segments.ts';
import { makeDirectory } from '../fixture.ts';

const padded = (ordinal: number) => String(ordinal).padStart(20, '0');
const openName = (first: number) => `${padded(first)}.open`;
const sealedName = (first: number, end: number) => `${padded(first)}-${padded(end)}.segment`;

/** A frame of one event, with a mark of so many records. */
function frame(ordinal: number, records: number): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  const mark = { instance: Buffer.alloc(24), records, held: 0 };
  encodeFrameHeader(header, { ordinal, events: 1, oldestMs: 0, mark }, Buffer.from('x\n'));
  return Buffer.concat([header, Buffer.from('x\n')]);
}
const FRAME_BYTES = FRAME_HEADER_BYTES + 2;

/** A directory with these files; each begins with a segment header. */
function directoryOf(contents: Readonly<Record<string, readonly Buffer[]>>): string {
  const directory = makeDirectory();
  for (const [name, parts] of Object.entries(contents))
    fs.writeFileSync(join(directory, name), Buffer.concat([encodeSegmentHeader(), ...parts]));
  return directory;
}

/** The calls of the system, with the descriptors that are open, and how often a file was cut. */
function watchedFiles() {
  const opened = new Set<number>();
  const watched = { opened, truncations: 0 };
  const files: SpoolFiles = {
    ...systemFiles,
    openSync(...parts: Parameters<typeof fs.openSync>) {
      const descriptor = fs.openSync(...parts);
      opened.add(descriptor);
      return descriptor;
    },
    closeSync(descriptor) {
      opened.delete(descriptor);
      fs.closeSync(descriptor);
    },
    ftruncateSync(descriptor, length) {
      watched.truncations++;
      fs.ftruncateSync(descriptor, length);
    },
  };
  return { files, watched };
}

function find(directory: string, files: SpoolFiles = systemFiles) {
  const found = findSegments(directory, files);
  if (!found.ok) throw new Error(found.problem);
  return found.value;
}

describe('the files of a directory', () => {
  test('are listed by rising ordinal, whatever the order of their names on disk', () => {
    const directory = directoryOf({
      [sealedName(5, 9)]: [],
      [openName(9)]: [frame(9, 1)],
      [sealedName(0, 5)]: [],
    });
    const orders = [fs.readdirSync(directory).sort(), fs.readdirSync(directory).sort().reverse()];
    for (const names of orders) {
      const files = { ...systemFiles, readdirSync: (() => names) as unknown as typeof fs.readdirSync };
      expect(listSegments(directory, files)).toEqual([
        {
          first: 0,
          end: 5,
          bytes: SEGMENT_HEADER_BYTES,
          path: join(directory, sealedName(0, 5)),
          isSealed: true,
        },
        {
          first: 5,
          end: 9,
          bytes: SEGMENT_HEADER_BYTES,
          path: join(directory, sealedName(5, 9)),
          isSealed: true,
        },
        {
          first: 9,
          end: 9,
          bytes: SEGMENT_HEADER_BYTES + FRAME_BYTES,
          path: join(directory, openName(9)),
          isSealed: false,
        },
      ]);
    }
  });

  test('may go while they are listed', () => {
    const directory = directoryOf({ [sealedName(0, 5)]: [] });
    const names = [sealedName(0, 5), sealedName(5, 9), openName(9), 'cursor.one'];
    const files = { ...systemFiles, readdirSync: (() => names) as unknown as typeof fs.readdirSync };
    expect(listSegments(directory, files).map(({ first }) => first)).toEqual([0]);
  });
});

describe('what a run has left open', () => {
  test('is sealed under a name that tells its events', () => {
    const directory = directoryOf({ [openName(4)]: [frame(4, 1), frame(5, 2)] });
    const { files, watched } = watchedFiles();
    const { segments } = find(directory, files);
    expect(segments).toEqual([
      {
        first: 4,
        end: 6,
        bytes: SEGMENT_HEADER_BYTES + 2 * FRAME_BYTES,
        path: join(directory, sealedName(4, 6)),
        isSealed: true,
      },
    ]);
    expect(fs.readdirSync(directory)).toEqual([sealedName(4, 6)]);
    expect(watched).toEqual({ opened: new Set(), truncations: 0 });
  });

  test('loses its torn tail, on disk too', () => {
    const directory = directoryOf({ [openName(4)]: [frame(4, 1), frame(5, 2).subarray(0, -1)] });
    const bytes = SEGMENT_HEADER_BYTES + FRAME_BYTES;
    expect(find(directory).segments).toMatchObject([{ first: 4, end: 5, bytes }]);
    expect(fs.statSync(join(directory, sealedName(4, 5))).size).toBe(bytes);
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['half a header', encodeSegmentHeader().subarray(0, 7)],
    ['a header', encodeSegmentHeader()],
    ['a header and a torn frame', Buffer.concat([encodeSegmentHeader(), frame(0, 1).subarray(0, -1)])],
  ])('with %s is removed', (_, bytes) => {
    const directory = makeDirectory();
    fs.writeFileSync(join(directory, openName(0)), bytes);
    expect(find(directory)).toEqual({ segments: [], mark: null });
    expect(fs.readdirSync(directory)).toEqual([]);
  });
});

describe('the mark of the last frame', () => {
  test.each([
    ['of a sealed file', { [sealedName(0, 2)]: [frame(0, 10), frame(1, 20)] }, 20],
    [
      'of the last of two sealed files',
      { [sealedName(0, 1)]: [frame(0, 10)], [sealedName(1, 2)]: [frame(1, 20)] },
      20,
    ],
    [
      'of a file left open behind a sealed one',
      { [sealedName(0, 1)]: [frame(0, 10)], [openName(1)]: [frame(1, 20)] },
      20,
    ],
    [
      'of a sealed file behind one left open',
      { [openName(0)]: [frame(0, 10)], [sealedName(1, 2)]: [frame(1, 20)] },
      20,
    ],
    [
      'of a sealed file before one that holds nothing',
      { [sealedName(0, 1)]: [frame(0, 10)], [openName(1)]: [] },
      10,
    ],
    [
      'of a file left open before one that holds nothing',
      { [openName(0)]: [frame(0, 10)], [openName(1)]: [] },
      10,
    ],
  ])('is that %s', (_, contents, records) => {
    expect(find(directoryOf(contents)).mark?.records).toBe(records);
  });

  test('is not known where the last file has no frame that can be read', () => {
    const directory = directoryOf({
      [sealedName(0, 1)]: [frame(0, 10)],
      [sealedName(1, 2)]: [Buffer.from('x')],
    });
    expect(find(directory).mark).toBeNull();
  });
});

describe('a file of another format', () => {
  test('is refused with what to do, and nothing is touched', () => {
    const directory = directoryOf({ [openName(0)]: [frame(0, 1)] });
    const path = join(directory, openName(0));
    const bytes = fs.readFileSync(path);
    bytes.writeUInt32LE(7, 8);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
    fs.writeFileSync(path, bytes);
    expect(findSegments(directory, systemFiles)).toEqual({
      ok: false,
      problem:
        `${path} has format version 7, this agent knows version 1: ` +
        'deliver it with the agent that wrote it (ktc spool drain), or move it away',
    });
    expect(fs.readFileSync(path)).toEqual(bytes);
  });

  test('is not what a damaged header tells: its frames are read', () => {
    const directory = directoryOf({ [openName(0)]: [frame(0, 1)] });
    const path = join(directory, openName(0));
    const bytes = fs.readFileSync(path);
    bytes.write('X');
    fs.writeFileSync(path, bytes);
    expect(
      withFile(systemFiles, path, fs.constants.O_RDONLY, (file) => readVersion(systemFiles, file)),
    ).toBeNull();
    expect(find(directory).segments).toMatchObject([{ first: 0, end: 1 }]);
  });
});

test('a file is closed after its use, also where that fails', () => {
  const { files, watched } = watchedFiles();
  const path = join(makeDirectory(), 'file');
  fs.writeFileSync(path, 'text');
  const { O_RDONLY } = fs.constants;
  expect(withFile(files, path, O_RDONLY, (descriptor) => fs.readFileSync(descriptor, 'utf8'))).toBe('text');
  const fail = () => {
    throw new Error('no use');
  };
  expect(() => withFile(files, path, O_RDONLY, fail)).toThrow('no use');
  expect(watched.opened).toEqual(new Set());
});

test('the events that a sink has not settled are those of the files behind its cursor', () => {
  const segments = [
    { first: 0, end: 10 },
    { first: 10, end: 15 },
    { first: 20, end: 21 },
  ];
  expect([0, 4, 10, 12, 15, 18, 20, 21, 99].map((cursor) => pending(segments, cursor))).toEqual([
    16, 12, 6, 4, 1, 1, 1, 0, 0,
  ]);
});
