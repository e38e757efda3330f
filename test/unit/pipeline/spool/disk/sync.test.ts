import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemError } from '../fixture.ts';
import { frame, name, openDisk } from './fixture.ts';

describe('syncing', () => {
  test('always brings each frame to the disk, and the name of its file with the first', () => {
    const { storage, synced } = openDisk({ syncAlways: true });
    storage.append(frame(0));
    expect(synced()).toEqual([`fdatasync ${name(0)}`, 'fsync .']);
    storage.append(frame(1));
    expect(synced()).toEqual([`fdatasync ${name(0)}`]);
    storage.seal();
    storage.append(frame(2));
    expect(synced()).toEqual([`fdatasync ${name(2)}`, 'fsync .']);
  });

  test('always has nothing left to bring there', async () => {
    const { storage, synced } = openDisk({ syncAlways: true });
    storage.append(frame(0));
    synced();
    expect(await storage.sync()).toBeNull();
    expect(synced()).toEqual([]);
  });

  test('at intervals brings each changed file there once, and names where they changed', async () => {
    const { storage, synced } = openDisk();
    for (const ordinal of [0, 1, 2]) storage.append(frame(ordinal));
    expect(synced()).toEqual([]);
    expect(await storage.sync()).toBeNull();
    expect(synced()).toEqual([`fdatasync ${name(0)}`, 'fsync .']);
    expect(await storage.sync()).toBeNull();
    expect(synced()).toEqual([]);
    storage.append(frame(3));
    await storage.sync();
    expect(synced()).toEqual([`fdatasync ${name(0)}`]);
    storage.seal();
    await storage.sync();
    expect(synced()).toEqual(['fsync .']);
  });

  test('forces what an earlier run left, however that ended', async () => {
    const first = openDisk();
    first.storage.append(frame(0));
    first.storage.seal();
    const { storage, synced } = openDisk({}, first.directory);
    await storage.sync();
    expect(synced()).toEqual([`fdatasync ${name(0, 1)}`, 'fsync .']);
  });

  test('of an empty directory does nothing', async () => {
    const { storage, synced } = openDisk();
    expect(await storage.sync()).toBeNull();
    expect(synced()).toEqual([]);
  });

  test('that failed returns the fault and is done again', async () => {
    const { storage, synced, fail, opened } = openDisk();
    storage.append(frame(0));
    fail('sync', systemError('EIO'));
    expect(await storage.sync()).toMatchObject({ code: 'EIO' });
    fail('sync', null);
    expect(await storage.sync()).toBeNull();
    expect(synced()).toEqual([`fdatasync ${name(0)}`, 'fsync .']);
    storage.seal();
    expect(opened.size).toBe(0);
  });

  test('of a file that was removed from outside is a fault, once', async () => {
    const { directory, storage } = openDisk();
    storage.append(frame(0));
    storage.seal();
    fs.rmSync(join(directory, name(0, 1)));
    expect(await storage.sync()).toMatchObject({ code: 'ENOENT' });
    expect(await storage.sync()).toBeNull();
  });

  test('does not come back to a file that was removed meanwhile', async () => {
    const { storage, synced, fail } = openDisk({ segmentBytes: 1 });
    for (const ordinal of [0, 1]) storage.append(frame(ordinal));
    const [first, second] = storage.segments;
    if (first === undefined || second === undefined) throw new Error('no segments');
    const syncing = storage.sync();
    storage.remove(second);
    await syncing;
    expect(synced()).toEqual([`fdatasync ${name(0, 1)}`, 'fsync .']);
    storage.append(frame(2));
    fail('sync', systemError('EIO'));
    const failing = storage.sync();
    const [, third] = storage.segments;
    if (third === undefined) throw new Error('no segment');
    storage.remove(third);
    expect(await failing).toMatchObject({ code: 'EIO' });
    fail('sync', null);
    await storage.sync();
    expect(synced()).toEqual(['fsync .']);
  });

  test('of a bug is no fault of the disk: it is thrown', async () => {
    const { storage, directory } = openDisk();
    storage.append(frame(0));
    const [segment] = storage.segments;
    if (segment === undefined) throw new Error('no segment');
    segment.path = join(directory, '\0');
    await expect(storage.sync()).rejects.toThrow(TypeError);
  });

  test('at the end seals the file that is written, and brings all there', async () => {
    const { directory, storage, synced, opened } = openDisk();
    storage.append(frame(0));
    await storage.close();
    expect(fs.readdirSync(directory)).toEqual([name(0, 1)]);
    expect(synced()).toEqual([`fdatasync ${name(0, 1)}`, 'fsync .']);
    expect(opened.size).toBe(0);
  });
});
