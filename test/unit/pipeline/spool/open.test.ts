import * as fs from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { cursorText } from '../../../../src/pipeline/spool/disk/cursor.ts';
import { systemFiles } from '../../../../src/pipeline/spool/disk/files.ts';
import { checkSpoolDirectory } from '../../../../src/pipeline/spool/open.ts';
import { copyAsAfterKill, events, makeDirectory, openFixture, segmentNames, systemError } from './fixture.ts';

const fail = (error: Error) => () => {
  throw error;
};

describe('a directory', () => {
  test('that we may read, write and search holds a spool', () => {
    const asked: unknown[] = [];
    const accessSync = (...parts: unknown[]) => void asked.push(parts);
    const directory = makeDirectory();
    expect(checkSpoolDirectory(directory, { ...systemFiles, accessSync })).toEqual({ ok: true });
    expect(asked).toEqual([[directory, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK]]);
  });

  test('that the system refuses for a reason without a name is refused with what it says', () => {
    const { code: _, ...fault } = systemError('EIO');
    const error = Object.assign(new Error('out of luck'), fault);
    expect(checkSpoolDirectory('/spool', { ...systemFiles, statSync: fail(error) as never })).toEqual({
      ok: false,
      problem: expect.stringMatching(/^cannot use the spool directory \/spool: out of luck,/),
    });
  });

  test('is not blamed for a bug', () => {
    const statSync = fail(new Error('a bug')) as never;
    expect(() => checkSpoolDirectory('/spool', { ...systemFiles, statSync })).toThrow('a bug');
  });

  test('in use is refused with what to do', async () => {
    const directory = makeDirectory();
    await openFixture(directory);
    await expect(openFixture(directory)).rejects.toThrow(
      `${directory} is in use by another agent, which delivers what is in it: ` +
        'stop that one first, or give each its own spool.directory',
    );
  });
});

describe('a spool that cannot be opened', () => {
  test('lets go of the directory, so that it can be once that is mended', async () => {
    const directory = makeDirectory();
    const readdirSync = fail(systemError('EACCES')) as never;
    await expect(openFixture(directory, { files: { readdirSync } })).rejects.toThrow(
      /^cannot use the spool directory .*: permission denied;/,
    );
    const bug = fail(new Error('a bug')) as never;
    await expect(openFixture(directory, { files: { readdirSync: bug } })).rejects.toThrow(/^a bug$/);
    const foreign = join(directory, `${'0'.repeat(20)}.open`);
    const fixture = await openFixture(directory);
    fixture.append(events(0, 1));
    await fixture.close();
    const [name = ''] = segmentNames(directory);
    const bytes = fs.readFileSync(join(directory, name));
    bytes.writeUInt32LE(2, 8);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
    fs.writeFileSync(foreign, bytes);
    await expect(openFixture(directory)).rejects.toThrow(/has format version 2/);
    fs.rmSync(foreign);
    expect((await openFixture(directory)).deliverAll()).toEqual(events(0, 1));
  });
});

describe('the files of a spool', () => {
  const FRAME_BYTES = 40_000;
  test.each([
    ['of the smallest', 100_000, 1 << 16],
    ['of some MB', 1 << 24, 1 << 20],
    ['of the largest', 1 << 30, 1 << 24],
  ])('%s are as large as a sixteenth of it, within bounds', async (_, maxBytes, segmentBytes) => {
    const directory = makeDirectory();
    const fixture = await openFixture(directory, { maxBytes });
    expect(fixture.opened.segments()).toBe(0);
    const text = `"${'x'.repeat(FRAME_BYTES)}"`;
    while (fixture.opened.segments() < 2) fixture.append([text]);
    expect(fixture.opened.segments()).toBe(segmentNames(directory).length);
    const [first = ''] = segmentNames(directory);
    const { size } = fs.statSync(join(directory, first));
    expect(size).toBeGreaterThanOrEqual(segmentBytes);
    expect(size).toBeLessThan(segmentBytes + FRAME_BYTES + 100);
  });

  test('that are settled when an agent is killed are gone after the next start, but for the last one', async () => {
    const directory = makeDirectory();
    const first = await openFixture(directory);
    first.append(events(0, 2));
    await first.close();
    const second = await openFixture(directory);
    second.append(events(2, 1));
    await second.close();
    fs.writeFileSync(join(directory, 'cursor.one'), cursorText(3));
    expect(segmentNames(directory)).toHaveLength(2);
    const third = await openFixture(directory);
    expect(segmentNames(directory)).toHaveLength(1);
    third.append(events(3, 1));
    third.deliverAll();
    await third.close();
    expect(segmentNames(directory)).toEqual([]);
  });

  test('still have the last mark where an agent is killed before it has made one of its own', async () => {
    const directory = makeDirectory();
    const instance = Buffer.alloc(24, 7);
    const first = await openFixture(directory, { fsyncIntervalMs: 0 });
    first.append(events(0, 2), { instance, records: 20, held: 0 });
    first.deliverAll();
    const afterKill = copyAsAfterKill(directory);
    fs.writeFileSync(join(afterKill, 'cursor.one'), cursorText(2));
    const second = await openFixture(afterKill);
    expect(second.opened.mark).toMatchObject({ records: 20 });
    const afterSecondKill = copyAsAfterKill(afterKill);
    expect((await openFixture(afterSecondKill)).opened.mark).toMatchObject({ records: 20 });
  });

  test('have no mark where no frame has one, or there are none', async () => {
    const directory = makeDirectory();
    const first = await openFixture(directory);
    expect(first.opened.mark).toBeNull();
    first.append(events(0, 2));
    await first.close();
    expect((await openFixture(directory)).opened.mark).toBeNull();
  });
});

describe('a sink', () => {
  test('whose cursor is damaged is named, and what follows from it', async () => {
    const directory = makeDirectory();
    fs.writeFileSync(join(directory, 'cursor.one'), 'x');
    expect((await openFixture(directory)).notes).toEqual([
      `${join(directory, 'cursor.one')} is damaged: sink one begins with the oldest event kept, some come twice`,
    ]);
  });

  test('that is not configured any more is named; the others are not', async () => {
    const directory = makeDirectory();
    for (const sink of ['one', 'gone']) fs.writeFileSync(join(directory, `cursor.${sink}`), cursorText(3));
    const fixture = await openFixture(directory);
    expect(fixture.notes).toEqual([
      'sink gone is not configured any more: the spool forgets how far it had come',
    ]);
    expect(fs.readdirSync(directory)).toEqual(['cursor.one']);
    // New events get ordinals behind the cursor, although no file has such ordinals.
    fixture.append(events(0, 1));
    expect(segmentNames(directory)).toEqual([`${'3'.padStart(20, '0')}.open`]);
  });
});
