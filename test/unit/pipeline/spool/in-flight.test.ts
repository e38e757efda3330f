/** What a sink has taken and not settled yet, while the disk comes and goes. */
import * as fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { textsOf } from '../scripted-sink.ts';
import { events, makeDirectory, openFixture, type SpoolFixture, systemError } from './fixture.ts';

interface MoodyDisk {
  readonly directory: string;
  readonly fixture: SpoolFixture;
  /** From now on the disk takes nothing. */
  fail(): void;
  /** From now on it takes everything, and is asked again. */
  recover(): void;
}

async function openOnMoodyDisk(): Promise<MoodyDisk> {
  const directory = makeDirectory();
  let isFailing = false;
  let nowMs = 0;
  const fixture = await openFixture(directory, {
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
    fixture,
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
    const { fixture } = disk;
    disk.fail();
    for (let event = 0; event < 3; event++) fixture.append(events(event, 1));
    const taken = fixture.takeAll();
    expect(taken.map(textsOf)).toEqual([events(0, 1), events(1, 1), events(2, 1)]);
    expect(fixture.account()).toMatchObject({ queued: 0, spooled: 0, in_flight: 3 });
    disk.recover();
    fixture.append(events(3, 1));
    return { ...disk, taken };
  }

  test('stay in flight; only what was not taken is spooled', async () => {
    const { fixture } = await takeThenWrite();
    expect(fixture.recoveries).toBe(1);
    expect(fixture.opened.spool.memoryBytes).toBe(0);
    expect(fixture.account()).toMatchObject({ queued: 0, spooled: 1, in_flight: 3 });
  });

  test('are not lost when the sink is closed, whichever of them it is', async () => {
    const { fixture, directory } = await takeThenWrite();
    await fixture.close();
    expect(fixture.account()).toMatchObject({ queued: 0, spooled: 4, in_flight: 0 });
    expect(fixture.account().dropped).toEqual({});
    expect((await openFixture(directory)).deliverAll()).toEqual(events(0, 4));
  });

  test('do not come again once they are settled', async () => {
    const { fixture, directory, taken } = await takeThenWrite();
    expect(taken.slice(0, 2).flatMap((batch) => fixture.deliver(batch))).toEqual(events(0, 2));
    await fixture.close();
    expect(fixture.account()).toMatchObject({ delivered: 2, spooled: 2, in_flight: 0, dropped: {} });
    expect((await openFixture(directory)).deliverAll()).toEqual(events(2, 2));
  });
});

test('of batches in memory only, those that are settled are not lost when the sink is closed', async () => {
  const { fixture, fail } = await openOnMoodyDisk();
  fail();
  for (let event = 0; event < 3; event++) fixture.append(events(event, 1));
  const [first] = fixture.takeAll();
  expect(first && fixture.deliver(first)).toEqual(events(0, 1));
  await fixture.close();
  expect(fixture.account()).toMatchObject({
    delivered: 1,
    spooled: 0,
    in_flight: 0,
    dropped: { shutdown: 2 },
  });
});

test('the memory of a batch is used again when all sinks have settled it, and no sooner', async () => {
  const fixture = await openFixture(makeDirectory(), { sinks: ['quick', 'slow'] });
  const fill = 'x'.repeat(100_000);
  const append = (event: string) => fixture.append([JSON.stringify({ event, fill })]);
  append('first');
  const [first] = fixture.takeAll('slow');
  const before = first && textsOf(first);
  fixture.deliverAll('quick');
  append('second');
  fixture.deliverAll('quick');
  expect(first && textsOf(first)).toEqual(before);
  if (first) fixture.deliver(first, 'slow');
  append('third');
  const [, third] = fixture.takeAll('slow');
  expect(third?.bytes.buffer).toBe(first?.bytes.buffer);
  await fixture.close();
});
