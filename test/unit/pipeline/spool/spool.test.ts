import * as fs from 'node:fs';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cursorText } from '../../../../src/pipeline/spool/disk/cursor.ts';
import { textsOf } from '../scripted-sink.ts';
import {
  copyAsAfterKill,
  events,
  largeEvents,
  makeDirectory,
  numbersOf,
  openFixture,
  segmentNames,
  systemError,
  until,
} from './fixture.ts';

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

  test('after an orderly end, what is not settled comes again, and nothing else', async () => {
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

  test('after a kill nothing that was appended is missing, and only what was in flight comes again', async () => {
    const directory = makeDirectory();
    const first = await openFixture(directory);
    first.append(events(0, 5));
    first.deliverAll();
    first.append(events(5, 5));
    expect(first.takeAll('one', 5)).toHaveLength(1);
    const second = await openFixture(copyAsAfterKill(directory));
    expect(second.account().recovered).toBe(5);
    expect(second.deliverAll()).toEqual(events(5, 5));
  });

  test('cursors reach the disk by a timer, also when nothing else happens', async () => {
    const directory = makeDirectory();
    let forced = 0;
    const fdatasync = (descriptor: number, done: fs.NoParamCallback) => {
      forced++;
      fs.fdatasync(descriptor, done);
    };
    const files = { fdatasync: fdatasync as typeof fs.fdatasync };
    const fixture = await openFixture(directory, { fsyncIntervalMs: 1, files });
    fixture.append(events(0, 5));
    fixture.deliverAll();
    // The file of the events, and that of the cursor.
    await until(() => forced === 2);
    expect(readFileSync(join(directory, 'cursor.one'), 'latin1')).toBe(cursorText(5));
    await fixture.close();
  });

  test('each sink has a cursor of its own, and a file goes when the slowest has settled it', async () => {
    const directory = makeDirectory();
    const options = { sinks: ['quick', 'slow'], maxBytes: 1 << 20 };
    const first = await openFixture(directory, options);
    for (let at = 0; at < 6; at++) first.append(largeEvents(at, 1));
    expect(numbersOf(first.deliverAll('quick'))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(segmentNames(directory).length).toBe(3);
    await first.close();
    const second = await openFixture(directory, options);
    expect([second.account('quick').recovered, second.account('slow').recovered]).toEqual([0, 6]);
    expect(numbersOf(second.deliverAll('slow'))).toEqual([0, 1, 2, 3, 4, 5]);
    await second.close();
    expect(segmentNames(directory)).toEqual([]);
  });

  test('a sink that is no longer configured is forgotten, and the operator is told', async () => {
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
    for (let at = 0; at < 30; at++) fixture.append(largeEvents(at, 1));
    expect(numbersOf(fixture.deliverAll())).toEqual(Array.from({ length: 30 }, (_, at) => at));
    expect(fixture.damages).toEqual([]);
    await fixture.close();
  });

  test('the mark of the last frame is known after a kill, also where that frame has no events', async () => {
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
