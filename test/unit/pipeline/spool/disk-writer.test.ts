import { expect, test } from 'vitest';
import type { Storage } from '../../../../src/pipeline/spool/disk/storage.ts';
import { createDiskWriter } from '../../../../src/pipeline/spool/disk-writer.ts';
import { batchOfTexts } from '../../../support/batch.ts';
import { systemError } from './fixture.ts';

/** A disk that refuses with the error `disk.code`, and how often it was asked. */
function openFixture(room: number) {
  const disk = { code: null as string | null, asked: 0, room, nowMs: 0, faults: 0, recoveries: 0 };
  const place = { segment: { first: 0, end: 1, bytes: 0, path: '', isSealed: false }, at: 16, next: 99 };
  const storage: Pick<Storage, 'append'> = {
    append() {
      disk.asked++;
      if (disk.code !== null) throw systemError(disk.code);
      return place;
    },
  };
  const writer = createDiskWriter({
    storage: storage as Storage,
    now: () => disk.nowMs,
    makeRoom() {
      if (--disk.room === 0) disk.code = null;
      return disk.room >= 0;
    },
    onFault() {
      disk.faults++;
    },
    onRecovered() {
      disk.recoveries++;
    },
  });
  const write = () => writer.write({ start: 0, batch: batchOfTexts(['a']), place: null, mark: null });
  return { disk, writer, write, place };
}

test('after a fault the disk is left alone for a second, and a batch that it takes ends the problem', () => {
  const { disk, writer, write, place } = openFixture(0);
  expect([write(), writer.problem]).toEqual([place, null]);
  disk.code = 'EIO';
  expect(write()).toBeNull();
  expect(writer.problem).toMatch(/^EIO/);
  disk.code = null;
  disk.nowMs = 999;
  expect(write()).toBeNull();
  expect(disk).toMatchObject({ asked: 2, faults: 1, recoveries: 0 });
  disk.nowMs = 1000;
  expect([write(), writer.problem]).toEqual([place, null]);
  expect(write()).toBe(place);
  expect(disk).toMatchObject({ asked: 4, faults: 1, recoveries: 1 });
});

test.each(['ENOSPC', 'EDQUOT'])('on a full disk (%s) room is made as long as there is some', (code) => {
  const { disk, write, place } = openFixture(3);
  disk.code = code;
  expect(write()).toBe(place);
  expect(disk).toMatchObject({ asked: 4, faults: 0 });
  disk.code = code;
  expect(write()).toBeNull();
  expect(disk).toMatchObject({ asked: 5, faults: 1 });
});

test('room does not help a broken disk', () => {
  const { disk, write } = openFixture(3);
  disk.code = 'EROFS';
  expect(write()).toBeNull();
  expect(disk).toMatchObject({ asked: 1, room: 3, faults: 1 });
});

test('a bug is no fault of the disk', () => {
  const { disk, write } = openFixture(0);
  disk.code = 'EIO';
  Object.defineProperty(disk, 'code', {
    get() {
      throw new TypeError('a bug');
    },
  });
  expect(write).toThrow('a bug');
  expect(disk.faults).toBe(0);
});
