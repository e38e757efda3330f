/** What the model test has found, each as short as it can be. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type CrashDisk, createCrashDisk } from './crash-disk.ts';
import { events, makeDirectory, openFixture, type SpoolFixtureOptions } from './fixture.ts';

/** Nothing is there that was not forced to the disk. */
const WORST = { names: 0, written: 0, zeros: false };
const INTERVAL_MS = 60_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const open = (disk: CrashDisk, options: SpoolFixtureOptions = {}) =>
  openFixture(disk.directory, { fsyncIntervalMs: INTERVAL_MS, files: disk.files, ...options });

async function pass(disk: CrashDisk, milliseconds = INTERVAL_MS): Promise<void> {
  vi.advanceTimersByTime(milliseconds);
  await disk.idle();
}

async function afterCrash(disk: CrashDisk): Promise<string[]> {
  return (await open(disk.crash(makeDirectory(), WORST))).deliverAll();
}

test('with an interval of 0 the host may crash at once: the name of a new file is on the disk too', async () => {
  const disk = createCrashDisk(makeDirectory());
  const fixture = await open(disk, { fsyncIntervalMs: 0 });
  fixture.append(events(0, 2));
  fixture.append(events(2, 1));
  expect(await afterCrash(disk)).toEqual(events(0, 3));
});

test('what a killed agent had not brought to the disk, the next one does', async () => {
  const disk = createCrashDisk(makeDirectory());
  const fixture = await open(disk);
  fixture.append(events(0, 3));
  const next = disk.kill(makeDirectory());
  await open(next);
  await pass(next);
  expect(await afterCrash(next)).toEqual(events(0, 3));
});

test('what could not be forced to the disk is tried again, in a sealed file too', async () => {
  const disk = createCrashDisk(makeDirectory());
  const fixture = await open(disk);
  fixture.append([`{"event":0,"x":"${'x'.repeat(70_000)}"}`]);
  fixture.append(events(1, 1));
  disk.isBroken = true;
  await pass(disk);
  expect(fixture.faults).toEqual([expect.stringContaining('the disk reports an input/output error')]);
  disk.isBroken = false;
  await pass(disk, 1000);
  expect(fixture.faults).toHaveLength(1);
  expect((await afterCrash(disk)).map((text) => text.slice(0, 10))).toEqual(['{"event":0', '{"event":1']);
});

test('a frame that could not be forced to the disk is not there twice', async () => {
  const disk = createCrashDisk(makeDirectory());
  let now = 0;
  const fixture = await open(disk, { fsyncIntervalMs: 0, now: () => now });
  fixture.append(events(0, 1));
  disk.isBroken = true;
  fixture.append(events(1, 1));
  expect(fixture.account()).toMatchObject({ spooled: 1, queued: 1 });
  disk.isBroken = false;
  now += 10_000;
  fixture.append(events(2, 1));
  const next = await open(disk.kill(makeDirectory()));
  expect(next.account().recovered).toBe(3);
  expect(next.deliverAll()).toEqual(events(0, 3));
  expect(next.account()).toMatchObject({ spooled: 0, dropped: {} });
});

test('behind a file that was given up, what waits in memory is not forgotten', async () => {
  const disk = createCrashDisk(makeDirectory());
  const fixture = await open(disk, { memoryBytes: 100_000, maxBytes: 1 << 20, whenFull: 'drop_oldest' });
  const large = `{"event":1,"x":"${'x'.repeat(70_000)}"}`;
  for (const text of [...events(0, 1), large, ...events(2, 1)]) fixture.append([text]);
  // In flight, it keeps the file of the first two.
  expect(fixture.reader().take({ maxEvents: 1, maxBytes: 1 })?.count).toBe(1);
  disk.isFull = true;
  fixture.append(events(3, 1));
  expect(fixture.account()).toMatchObject({
    dropped: { spool_full: 1 },
    spooled: 1,
    queued: 1,
    in_flight: 1,
  });
  expect(fixture.deliverAll()).toEqual([large, ...events(3, 1)]);
  expect(fixture.account()).toMatchObject({ queued: 0, spooled: 0 });
});

test('at the end what waits in memory is written, once the disk takes it', async () => {
  const disk = createCrashDisk(makeDirectory());
  let now = 0;
  const fixture = await open(disk, { now: () => now });
  disk.isFull = true;
  fixture.append(events(0, 2));
  expect(fixture.account()).toMatchObject({ queued: 2 });
  disk.isFull = false;
  now += 10_000;
  await fixture.close();
  expect(fixture.account()).toMatchObject({ dropped: {}, spooled: 2 });
  expect((await open(disk.kill(makeDirectory()))).deliverAll()).toEqual(events(0, 2));
});
