import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  cursorText,
  listCursors,
  readCursor,
  removeCursor,
  syncCursor,
  writeCursor,
} from '../../../../../src/pipeline/spool/disk/cursor.ts';
import { type SpoolFiles, systemFiles } from '../../../../../src/pipeline/spool/disk/files.ts';
import { makeDirectory, systemError } from '../fixture.ts';

/** The calls of the system, of which some are replaced, and the descriptors that are open. */
function filesWith(replaced: Partial<SpoolFiles>): { files: SpoolFiles; opened: Set<number> } {
  const opened = new Set<number>();
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
    ...replaced,
  };
  return { files, opened };
}

const fail = (code: string) => () => {
  throw systemError(code);
};

describe('a cursor', () => {
  test('is text with the CRC-32 that zlib has of it, in eight digits', () => {
    expect(cursorText(6)).toBe('ktc-cursor 1 6 6cd35d09\n');
    expect(cursorText(22)).toBe('ktc-cursor 1 22 070910f0\n');
  });

  test('is read as it was written, in a file that only its owner may read', () => {
    const directory = makeDirectory();
    expect(readCursor(directory, 'one', systemFiles)).toEqual({ kind: 'missing' });
    for (const ordinal of [0, 7, 2 ** 53 - 1]) {
      expect(writeCursor(directory, 'one', ordinal, systemFiles)).toBeNull();
      expect(readCursor(directory, 'one', systemFiles)).toEqual({ kind: 'found', ordinal });
    }
    expect(fs.readdirSync(directory)).toEqual(['cursor.one']);
    expect(fs.statSync(join(directory, 'cursor.one')).mode & 0o777).toBe(0o600);
  });

  test('takes the place of a longer one that a crash has left half written', () => {
    const directory = makeDirectory();
    fs.writeFileSync(join(directory, 'cursor.one.new'), 'x'.repeat(1000));
    writeCursor(directory, 'one', 12, systemFiles);
    expect(fs.readFileSync(join(directory, 'cursor.one'), 'latin1')).toBe(cursorText(12));
  });

  test.each([
    ['text in front', (text: string) => `x${text}`],
    ['text behind', (text: string) => `${text}x`],
    ['another checksum', (text: string) => text.replace(/.\n/, (last) => (last === '0\n' ? '1\n' : '0\n'))],
    ['no line feed', (text: string) => text.trimEnd()],
    ['no digits', () => 'ktc-cursor 1  00000000\n'],
  ])('with %s is damaged', (_, damage) => {
    const directory = makeDirectory();
    const path = join(directory, 'cursor.one');
    fs.writeFileSync(path, damage(cursorText(12)));
    expect(readCursor(directory, 'one', systemFiles)).toEqual({ kind: 'damaged', path });
  });

  test('is listed by its sink, beside files that are none', () => {
    const directory = makeDirectory();
    for (const sink of ['kafka', 'otlp-2_b']) writeCursor(directory, sink, 1, systemFiles);
    for (const name of ['cursor.one.new', 'xcursor.one', 'cursor.', 'cursor.A', 'cursorXone'])
      fs.writeFileSync(join(directory, name), '');
    expect(listCursors(directory, systemFiles).sort()).toEqual(['kafka', 'otlp-2_b']);
    removeCursor(directory, 'kafka', systemFiles);
    expect(listCursors(directory, systemFiles)).toEqual(['otlp-2_b']);
  });

  test('that the system does not let us read is the fault of the system', () => {
    const { files } = filesWith({ readFileSync: fail('EACCES') as unknown as typeof fs.readFileSync });
    expect(() => readCursor(makeDirectory(), 'one', files)).toThrow('EACCES');
    const bug = filesWith({
      readFileSync: (() => {
        throw Object.assign(new Error('a bug'), { code: 'ENOENT' });
      }) as unknown as typeof fs.readFileSync,
    });
    expect(() => readCursor(makeDirectory(), 'one', bug.files)).toThrow('a bug');
  });

  test('is one write to the file that is there already, whatever it has', () => {
    const directory = makeDirectory();
    writeCursor(directory, 'one', 5, systemFiles);
    const { ino } = fs.statSync(join(directory, 'cursor.one'));
    let writes = 0;
    const { files, opened } = filesWith({
      writeSync: ((descriptor: number, text: string) => {
        writes++;
        return fs.writeSync(descriptor, text);
      }) as typeof fs.writeSync,
      fdatasyncSync: fail('EIO'),
      fsyncSync: fail('EIO'),
      renameSync: fail('EIO'),
    });
    for (const ordinal of [6, 999, 1000]) {
      expect(writeCursor(directory, 'one', ordinal, files)).toBeNull();
      expect(readCursor(directory, 'one', systemFiles)).toEqual({ kind: 'found', ordinal });
    }
    expect(writes).toBe(3);
    expect(fs.statSync(join(directory, 'cursor.one')).ino).toBe(ino);
    expect(opened).toEqual(new Set());
  });

  test.each<[string, Partial<SpoolFiles>]>([
    ['opened', { openSync: fail('ENOSPC') }],
    ['written', { writeSync: fail('ENOSPC') as unknown as typeof fs.writeSync }],
  ])('that cannot be %s leaves the old one, says why, and leaves nothing open', (_, replaced) => {
    const directory = makeDirectory();
    writeCursor(directory, 'one', 5, systemFiles);
    const { files, opened } = filesWith(replaced);
    expect(writeCursor(directory, 'one', 6, files)).toMatchObject({ code: 'ENOSPC' });
    expect(readCursor(directory, 'one', systemFiles)).toEqual({ kind: 'found', ordinal: 5 });
    expect(opened).toEqual(new Set());
  });

  test.each<[string, Partial<SpoolFiles>]>([
    ['written', { writeSync: fail('ENOSPC') as unknown as typeof fs.writeSync }],
    ['brought to the disk', { fdatasyncSync: fail('ENOSPC') }],
    ['put in its place', { renameSync: fail('ENOSPC') }],
    ['kept in its place', { fsyncSync: fail('ENOSPC') }],
  ])('that is the first one and cannot be %s says why, and leaves nothing open', (_, replaced) => {
    const directory = makeDirectory();
    const { files, opened } = filesWith(replaced);
    expect(writeCursor(directory, 'one', 6, files)).toMatchObject({ code: 'ENOSPC' });
    expect(readCursor(directory, 'one', systemFiles).kind).not.toBe('damaged');
    expect(opened).toEqual(new Set());
  });

  test('is on the disk once it was forced there, or the system says why not', async () => {
    const directory = makeDirectory();
    expect(await syncCursor(directory, 'one', systemFiles)).toMatchObject({ code: 'ENOENT' });
    writeCursor(directory, 'one', 5, systemFiles);
    expect(await syncCursor(directory, 'one', systemFiles)).toBeNull();
    const { files, opened } = filesWith({
      fdatasync: ((_: number, done: fs.NoParamCallback) => done(systemError('EIO'))) as typeof fs.fdatasync,
    });
    expect(await syncCursor(directory, 'one', files)).toMatchObject({ code: 'EIO' });
    expect(opened).toEqual(new Set());
  });

  test('of a bug is none: it is thrown', () => {
    const { files } = filesWith({
      renameSync() {
        throw new Error('a bug');
      },
    });
    expect(() => writeCursor(makeDirectory(), 'one', 6, files)).toThrow('a bug');
  });
});
