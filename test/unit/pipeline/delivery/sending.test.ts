import { describe, expect, test, vi } from 'vitest';
import { ACKNOWLEDGED, type Refusal, retryAll } from '../../../../src/sink/sink.ts';
import { longestBackOff, openFixture, pass, useFakeClock } from './fixture.ts';

useFakeClock();

describe('sending', () => {
  test('keeps the order, and never more in flight than allowed', async () => {
    const fixture = await openFixture({ maxInFlight: 2 });
    for (const text of ['a', 'b', 'c', 'd']) await fixture.append(text);
    expect(fixture.sink.sending.map(({ texts }) => texts[0])).toEqual(['a', 'b']);
    expect(fixture.account).toMatchObject({ queued: 2, in_flight: 2 });
    await fixture.sending(1).answer(ACKNOWLEDGED);
    expect(fixture.sink.sending.map(({ texts }) => texts[0])).toEqual(['a', 'c']);
    await fixture.sending().answer(ACKNOWLEDGED);
    await fixture.sending().answer(ACKNOWLEDGED);
    await fixture.sending().answer(ACKNOWLEDGED);
    expect(fixture.account).toMatchObject({ delivered: 4, queued: 0, in_flight: 0 });
    expect(fixture.delivery.status()).toMatchObject({ batchesSent: 4, retries: 0 });
    expect(fixture.latencies).toHaveLength(4);
    fixture.expectBalance();
  });

  test('counts what is refused by its reason', async () => {
    const fixture = await openFixture();
    await fixture.append('a', 'b', 'c');
    const refused: Refusal[] = [
      { index: 0, reason: 'message_too_large' },
      { index: 2, reason: 'invalid_record' },
    ];
    await fixture.sending().answer({ refused, retry: null });
    expect(fixture.account).toMatchObject({
      delivered: 1,
      rejected: { message_too_large: 1, invalid_record: 1 },
      in_flight: 0,
    });
    expect(fixture.spool.bytes).toBe(0);
    fixture.expectBalance();
  });

  test('sends again exactly the events that the sink names', async () => {
    const fixture = await openFixture();
    await fixture.append('a', 'bb', 'ccc', 'dddd');
    await fixture.sending().answer({
      refused: [{ index: 0, reason: 'invalid_record' }],
      retry: { events: [1, 3], afterMs: 5, reason: 'leader moved' },
    });
    expect(fixture.account).toMatchObject({ delivered: 1, in_flight: 2 });
    fixture.expectBalance();
    await pass(5);
    expect(fixture.sending().texts).toEqual(['bb', 'dddd']);
    await fixture
      .sending()
      .answer({ refused: [], retry: { events: [1], afterMs: 5, reason: 'leader moved' } });
    await pass(5);
    expect(fixture.sending().texts).toEqual(['dddd']);
    await fixture.sending().answer(ACKNOWLEDGED);
    expect(fixture.account).toMatchObject({ delivered: 3, rejected: { invalid_record: 1 }, in_flight: 0 });
    expect(fixture.spool.bytes).toBe(0);
    fixture.expectBalance();
  });

  test('counts the events that the sink refuses without saying which, and delivers the others', async () => {
    const fixture = await openFixture();
    await fixture.append('a', 'b', 'c', 'd', 'e');
    const refusedUnnamed = { count: 2, reason: 'partial_success' as const };
    const refused = [{ index: 4, reason: 'invalid_record' as const }];
    await fixture
      .sending()
      .answer({ refused, refusedUnnamed, retry: { events: [3], afterMs: 5, reason: 'leader moved' } });
    expect(fixture.account).toMatchObject({
      delivered: 1,
      rejected: { partial_success: 2, invalid_record: 1 },
      in_flight: 1,
    });
    fixture.expectBalance();
    await pass(5);
    await fixture
      .sending()
      .answer({ refused: [], refusedUnnamed: { ...refusedUnnamed, count: 1 }, retry: null });
    expect(fixture.account).toMatchObject({ delivered: 1, rejected: { partial_success: 3 }, in_flight: 0 });
    fixture.expectBalance();
  });

  test('sends again the rest, which is what was not refused, and nothing when that is nothing', async () => {
    const fixture = await openFixture();
    await fixture.append('a', 'b', 'c');
    const refuse = (index: number) => ({ index, reason: 'invalid_record' as const });
    await fixture.sending().answer({
      refused: [refuse(1)],
      retry: { events: 'rest', afterMs: 1, reason: 'timeout' },
    });
    await pass(1);
    expect(fixture.sending().texts).toEqual(['a', 'c']);
    await fixture.sending().answer({
      refused: [refuse(0), refuse(1)],
      retry: { events: 'rest', afterMs: 1, reason: 'timeout' },
    });
    expect(fixture.sink.sending).toEqual([]);
    expect(fixture.account).toMatchObject({ delivered: 0, rejected: { invalid_record: 3 }, in_flight: 0 });
    await fixture.append('d');
    expect(fixture.sending().texts).toEqual(['d']);
    fixture.expectBalance();
  });

  test('holds newer batches back from the first fault on, the pause before the first retry included', async () => {
    longestBackOff();
    const fixture = await openFixture({ maxInFlight: 4 });
    await fixture.append('a');
    await fixture.sending().answer(retryAll('broker is gone'));
    await fixture.append('b');
    expect(fixture.sink.sending).toEqual([]);
    expect(fixture.delivery.status()).toMatchObject({
      state: 'retrying',
      problem: 'broker is gone',
      retries: 1,
    });
    await pass(100);
    expect(fixture.sending().texts).toEqual(['a']);
    await fixture.append('c');
    expect(fixture.sink.sending).toHaveLength(1);
    await fixture.sending().answer(ACKNOWLEDGED);
    expect(fixture.sink.sending.map(({ texts }) => texts[0])).toEqual(['b', 'c']);
    expect(fixture.sink.sent.flat()).toEqual(['a', 'a', 'b', 'c']);
    expect(fixture.delivery.status()).toMatchObject({ state: 'ready', problem: null });
  });

  test('stays in the state retrying until the last batch that failed is through', async () => {
    const fixture = await openFixture({ maxInFlight: 2 });
    await fixture.append('a');
    await fixture.append('b');
    await fixture.sending().answer(retryAll('broker is gone', 50));
    await fixture.sending().answer(ACKNOWLEDGED);
    expect(fixture.delivery.status()).toMatchObject({ state: 'retrying', problem: 'broker is gone' });
    await pass(50);
    await fixture.sending().answer(ACKNOWLEDGED);
    expect(fixture.delivery.status()).toMatchObject({ state: 'ready', problem: null });
  });

  test('backs off twice as long each time, up to the longest, and for ever', async () => {
    longestBackOff();
    const fixture = await openFixture({ retryInitialMs: 100, retryMaxMs: 1000 });
    await fixture.append('a');
    for (const [attempt, wait] of [
      100,
      200,
      400,
      800,
      1000,
      1000,
      ...Array<number>(40).fill(1000),
    ].entries()) {
      await fixture.sending().answer(retryAll('broker is gone'));
      expect(fixture.faults.at(-1)).toEqual({ reason: 'broker is gone', attempt: attempt + 1 });
      await pass(wait - 1);
      expect(fixture.sink.sending).toHaveLength(0);
      await pass(1);
      expect(fixture.sink.sending).toHaveLength(1);
    }
    await fixture.sending().answer(ACKNOWLEDGED);
    expect(fixture.account).toMatchObject({ delivered: 1, dropped: {} });
  });

  test("waits as long as the destination asks for, also for more than Node's timers can", async () => {
    const fixture = await openFixture();
    await fixture.append('a');
    await fixture.sending().answer(retryAll('quota', 123));
    await pass(122);
    expect(fixture.sink.sending).toHaveLength(0);
    await pass(1);
    await fixture.sending().answer(retryAll('quota', 2 ** 40));
    await pass(86_400_000);
    expect(fixture.sink.sending).toHaveLength(0);
  });

  test("asks Node for no timer that is longer than Node's timers can be", async () => {
    const fixture = await openFixture();
    const setTimeout = vi.spyOn(globalThis, 'setTimeout');
    await fixture.append('a');
    await fixture.sending().answer(retryAll('quota', 2 ** 31));
    const drained = fixture.delivery.drain(2 ** 31);
    expect(setTimeout.mock.calls.map(([, milliseconds]) => milliseconds)).toEqual([2 ** 31 - 1, 2 ** 31 - 1]);
    await pass(2 ** 31 - 1);
    await drained;
  });

  test('holds nothing back any more once a batch is through, however often it was tried', async () => {
    const fixture = await openFixture({ maxInFlight: 1 });
    await fixture.append('a');
    await fixture.append('b');
    for (let attempt = 0; attempt < 3; attempt++) {
      await fixture.sending().answer(retryAll('broker is gone', 1));
      await pass(1);
    }
    expect(fixture.sending().texts).toEqual(['a']);
    await fixture.sending().answer(ACKNOWLEDGED);
    expect(fixture.sending().texts).toEqual(['b']);
  });

  test('sends a batch of which nothing was taken again as it was, without a copy', async () => {
    const fixture = await openFixture();
    await fixture.append('a', 'b');
    const first = fixture.sending().batch;
    await fixture.sending().answer(retryAll('broker is gone', 1));
    await pass(1);
    expect(fixture.sending().batch).toBe(first);
  });

  test('reports the age of the oldest event of each batch of which something was acknowledged', async () => {
    const fixture = await openFixture();
    await fixture.append('a', 'b');
    await pass(250);
    await fixture.sending().answer({
      refused: [{ index: 0, reason: 'invalid_record' }],
      retry: { events: [1], afterMs: 50, reason: 'leader moved' },
    });
    expect(fixture.latencies).toEqual([]);
    expect(fixture.delivery.status()).toMatchObject({ batchesSent: 0, lastAcknowledged: null });
    await pass(50);
    await fixture.sending().answer(ACKNOWLEDGED);
    expect(fixture.latencies).toEqual([300]);
    expect(fixture.delivery.status()).toMatchObject({ batchesSent: 1, lastAcknowledged: Date.now() });
  });

  test('delivers what was appended to a full spool too', async () => {
    const fixture = await openFixture({ maxInFlight: 1, maxBytes: 4 });
    await fixture.append('a');
    expect(fixture.spool.full).toBe(false);
    await fixture.append('b');
    expect(fixture.spool.full).toBe(true);
    await fixture.append('c');
    await fixture.sending().answer(ACKNOWLEDGED);
    expect(fixture.spool.full).toBe(true);
    await fixture.sending().answer(ACKNOWLEDGED);
    expect(fixture.spool.full).toBe(false);
    await fixture.sending().answer(ACKNOWLEDGED);
    expect(fixture.account.delivered).toBe(3);
  });
});
