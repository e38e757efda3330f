import { describe, expect, test } from 'vitest';
import { acknowledge } from '../../../../src/ledger/booking.ts';
import { copyAsAfterKill, largeEvents, makeDirectory, numbersOf, openFixture } from './fixture.ts';

describe('when it is full', () => {
  const fill = async (whenFull: 'block' | 'drop_oldest' | 'drop_newest') => {
    const directory = makeDirectory();
    const fixture = await openFixture(directory, { maxBytes: 1 << 20, memoryBytes: 1 << 17, whenFull });
    for (let at = 0; at < 40; at++) fixture.append(largeEvents(at, 1));
    return { directory, fixture };
  };

  test('block: it is full, keeps what is appended all the same, and has room again later', async () => {
    const { fixture } = await fill('block');
    expect(fixture.opened.spool.full).toBe(true);
    expect(numbersOf(fixture.deliverAll())).toHaveLength(40);
    expect(fixture.opened.spool.full).toBe(false);
    await fixture.close();
  });

  test('drop_newest: keeps the oldest, counts the others', async () => {
    const { fixture } = await fill('drop_newest');
    expect(fixture.opened.spool.full).toBe(false);
    const kept = numbersOf(fixture.deliverAll());
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, at) => at));
    expect(fixture.account()).toMatchObject({
      delivered: kept.length,
      dropped: { spool_full: 40 - kept.length },
      queued: 0,
      spooled: 0,
    });
    expect(kept.length).toBeGreaterThan(20);
    await fixture.close();
  });

  test('drop_oldest: keeps the newest, counts the others, and nothing that is in flight', async () => {
    const directory = makeDirectory();
    const fixture = await openFixture(directory, { maxBytes: 1 << 20, whenFull: 'drop_oldest' });
    fixture.append(largeEvents(0, 1));
    const [inFlight] = fixture.takeAll();
    for (let at = 1; at < 60; at++) fixture.append(largeEvents(at, 1));
    expect(fixture.opened.spool.bytes).toBeLessThanOrEqual(1 << 20);
    // The agent is killed while the first is in flight: it comes again.
    const after = await openFixture(copyAsAfterKill(directory));
    expect(numbersOf(after.deliverAll())[0]).toBe(0);
    expect(after.account()).toMatchObject({ dropped: {}, spooled: 0 });
    if (inFlight === undefined) throw new Error('nothing was taken');
    acknowledge(fixture.account(), 1);
    fixture.reader().settle(inFlight);
    const kept = numbersOf(fixture.deliverAll());
    // The segment of the one in flight holds one more.
    expect(kept[0]).toBe(1);
    expect(kept.at(-1)).toBe(59);
    expect(kept.length + (fixture.account().dropped['spool_full'] ?? 0)).toBe(59);
    expect(kept.length).toBeGreaterThan(18);
    expect(fixture.account()).toMatchObject({ queued: 0, spooled: 0, in_flight: 0 });
    await fixture.close();
  });
});
