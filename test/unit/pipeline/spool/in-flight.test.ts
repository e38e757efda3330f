/** What a sink has taken and not settled yet, while the disk comes and goes. */
import * as fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { textsOf } from '../scripted-sink.ts';
import { events, makeDirectory, openBench, type SpoolBench, systemError } from './bench.ts';

interface MoodyDisk {
  readonly directory: string;
  readonly bench: SpoolBench;
  /** From now on the disk takes nothing. */
  fail(): void;
  /** From now on it takes everything, and is asked again. */
  recover(): void;
}

async function openOnMoodyDisk(): Promise<MoodyDisk> {
  const directory = makeDirectory();
  let isFailing = false;
  let nowMs = 0;
  const bench = await openBench(directory, {
    now: () => nowMs,
    files: {
      writevSync(...parts: Parameters<typeof fs.writevSync>) {
        if (isFailing) throw systemError('ENOSPC');
        return fs.writevSync(...parts);
      },
    },
  });
  return {
    directory,
    bench,
    fail() {
      isFailing = true;
    },
    recover() {
      isFailing = false;
      nowMs += 10_000;
    },
  };
}

describe('batches taken from memory that are written to disk before they are settled', () => {
  async function takeThenWrite() {
    const disk = await openOnMoodyDisk();
    const { bench } = disk;
    disk.fail();
    for (let event = 0; event < 3; event++) bench.append(events(event, 1));
    const taken = bench.takeAll();
    expect(taken.map(textsOf)).toEqual([events(0, 1), events(1, 1), events(2, 1)]);
    expect(bench.account()).toMatchObject({ queued: 0, spooled: 0, in_flight: 3 });
    disk.recover();
    bench.append(events(3, 1));
    return { ...disk, taken };
  }

  test('stay in flight; only what nobody has taken is spooled', async () => {
    const { bench } = await takeThenWrite();
    expect(bench.recoveries).toBe(1);
    expect(bench.opened.spool.memoryBytes).toBe(0);
    expect(bench.account()).toMatchObject({ queued: 0, spooled: 1, in_flight: 3 });
  });

  test('are not lost when the sink is closed, whichever of them it is', async () => {
    const { bench, directory } = await takeThenWrite();
    await bench.close();
    expect(bench.account()).toMatchObject({ queued: 0, spooled: 4, in_flight: 0 });
    expect(bench.account().dropped).toEqual({});
    expect((await openBench(directory)).deliverAll()).toEqual(events(0, 4));
  });

  test('do not come again once they are settled', async () => {
    const { bench, directory, taken } = await takeThenWrite();
    expect(taken.slice(0, 2).flatMap((batch) => bench.deliver(batch))).toEqual(events(0, 2));
    await bench.close();
    expect(bench.account()).toMatchObject({ delivered: 2, spooled: 2, in_flight: 0, dropped: {} });
    expect((await openBench(directory)).deliverAll()).toEqual(events(2, 2));
  });
});

test('of batches in memory only, those that are settled are not lost when the sink is closed', async () => {
  const { bench, fail } = await openOnMoodyDisk();
  fail();
  for (let event = 0; event < 3; event++) bench.append(events(event, 1));
  const [first] = bench.takeAll();
  expect(first && bench.deliver(first)).toEqual(events(0, 1));
  await bench.close();
  expect(bench.account()).toMatchObject({ delivered: 1, spooled: 0, in_flight: 0, dropped: { shutdown: 2 } });
});
