import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { spool } from '../../../src/ledger/booking.ts';
import { total } from '../../../src/ledger/ledger.ts';
import { ACKNOWLEDGED, type Refusal, retryAll, type SendResult } from '../../../src/sink/sink.ts';
import { createDeliveryFixture, type DeliveryFixture, settle } from './scripted-sink.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function openFixture(...options: Parameters<typeof createDeliveryFixture>): Promise<DeliveryFixture> {
  const fixture = createDeliveryFixture(...options);
  const opened = fixture.delivery.open();
  await fixture.answerOpen();
  expect(await opened).toBeNull();
  return fixture;
}

/** No jitter: every back-off takes its longest. */
function longestBackOff(): void {
  vi.spyOn(Math, 'random').mockReturnValue(1);
}

async function pass(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds);
  await settle();
}

describe('opening', () => {
  test('holds back what comes before the sink is ready', async () => {
    const fixture = createDeliveryFixture();
    const opened = fixture.delivery.open();
    await fixture.append('a');
    expect(fixture.sink.sent).toEqual([]);
    expect(fixture.delivery.status()).toMatchObject({ state: 'opening', problem: null });
    await fixture.answerOpen();
    expect(await opened).toBeNull();
    expect(fixture.sink.sent).toEqual([['a']]);
    expect(fixture.delivery.status().state).toBe('ready');
  });

  test('is tried again for as long as the problem may pass', async () => {
    longestBackOff();
    const fixture = createDeliveryFixture();
    const opened = fixture.delivery.open();
    for (const [attempt, wait] of [200, 400, 800, 1600].entries()) {
      await fixture.answerOpen({ problem: 'no broker answers', mayPass: true });
      expect(fixture.delivery.status()).toMatchObject({ state: 'opening', problem: 'no broker answers' });
      expect(fixture.faults.at(-1)).toEqual({ reason: 'no broker answers', attempt: attempt + 1 });
      await pass(wait - 1);
      expect(fixture.sink.opening).toHaveLength(0);
      await pass(1);
    }
    await fixture.answerOpen();
    expect(await opened).toBeNull();
    expect(fixture.delivery.status()).toMatchObject({ state: 'ready', problem: null, retries: 4 });
  });

  test('ends with a problem that only an operator can mend, and then nothing is sent', async () => {
    const fixture = createDeliveryFixture();
    const opened = fixture.delivery.open();
    await fixture.append('a');
    await fixture.answerOpen({ problem: 'there is no topic ktc-events', mayPass: false });
    expect(await opened).toBe('there is no topic ktc-events');
    await fixture.append('b');
    expect(fixture.sink.sent).toEqual([]);
    expect(fixture.delivery.status()).toMatchObject({
      state: 'failed',
      problem: 'there is no topic ktc-events',
    });
    await fixture.delivery.drain(10_000);
    expect(fixture.account.dropped).toEqual({ shutdown: 2 });
    expect(fixture.sink.closed).toBe(1);
    fixture.expectBalance();
  });

  test('is given up at once when the agent stops', async () => {
    longestBackOff();
    const fixture = createDeliveryFixture({ retryInitialMs: 10_000 });
    const opened = fixture.delivery.open();
    await fixture.append('a');
    await fixture.answerOpen({ problem: 'no broker answers', mayPass: true });
    const drained = fixture.delivery.drain(1000);
    await pass(1000);
    await drained;
    expect(await opened).toBeNull();
    expect(fixture.sink.opening).toHaveLength(0);
    expect(fixture.account.dropped).toEqual({ shutdown: 1 });
    fixture.expectBalance();
  });
});

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

  test('counts what is refused without saying which, and delivers the others', async () => {
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

  test('stays in trouble until the last of its batches is through', async () => {
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

  test('tells the age of the oldest event of each batch of which something was acknowledged', async () => {
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

  test('is full when the spool is, and takes all the same', async () => {
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

describe('events that the sink refuses', () => {
  const REASON = 'partial_success' as const;
  async function refusalsOf(result: SendResult): Promise<(readonly Refusal[])[]> {
    const refusals: (readonly Refusal[])[] = [];
    const fixture = await openFixture({ onRefused: (_, refused) => refusals.push(refused) });
    await fixture.append('a', 'b', 'c', 'd');
    await fixture.sending().answer(result);
    return refusals;
  }
  const refuse = (index: number) => ({ index, reason: 'invalid_record' as const });

  test('are told with their places and reasons', async () => {
    const refused = [refuse(0), refuse(2)];
    expect(await refusalsOf({ refused, retry: null })).toEqual([refused]);
  });

  test('are told of only where there are any', async () => {
    expect(await refusalsOf(ACKNOWLEDGED)).toEqual([]);
    expect(await refusalsOf(retryAll('timeout', 1))).toEqual([]);
  });

  test('and does not name are among those that it neither names nor asks for again', async () => {
    const refusedUnnamed = { count: 1, reason: REASON };
    const suspects = (...indexes: number[]) => indexes.map((index) => ({ index, reason: REASON }));
    expect(await refusalsOf({ refused: [], refusedUnnamed, retry: null })).toEqual([suspects(0, 1, 2, 3)]);
    expect(
      await refusalsOf({
        refused: [refuse(3)],
        refusedUnnamed,
        retry: { events: [1], afterMs: 1, reason: 'leader moved' },
      }),
    ).toEqual([[refuse(3), ...suspects(0, 2)]]);
  });
});

describe('draining', () => {
  test('that is told to end before it begins waits for nothing', async () => {
    const fixture = await openFixture();
    await fixture.append('a');
    await fixture.delivery.drain(60_000, AbortSignal.abort());
    expect(fixture.sink.closed).toBe(1);
    expect(fixture.account.dropped).toEqual({ shutdown: 1 });
  });

  test('may still be told to end: it waits then', async () => {
    const fixture = await openFixture();
    await fixture.append('a');
    const drained = fixture.delivery.drain(60_000, new AbortController().signal);
    await settle();
    expect(fixture.sink.closed).toBe(0);
    await fixture.sending().answer(ACKNOWLEDGED);
    await drained;
    expect(fixture.account).toMatchObject({ delivered: 1, dropped: {} });
  });

  test('listens to who may tell it to end no longer than it lasts', async () => {
    const fixture = await openFixture();
    await fixture.append('a');
    const stop = new AbortController();
    const drained = fixture.delivery.drain(60_000, stop.signal);
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1);
    await fixture.sending().answer(ACKNOWLEDGED);
    await drained;
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
  });

  test('waits for events on disk as for those in memory, also while nothing is in flight', async () => {
    const fixture = createDeliveryFixture();
    const opened = fixture.delivery.open();
    await fixture.append('a', 'b');
    spool(fixture.account, 1);
    const drained = fixture.delivery.drain(1000);
    fixture.delivery.pump();
    await pass(999);
    expect(fixture.sink.closed).toBe(0);
    await pass(1);
    await drained;
    expect(fixture.sink.closed).toBe(1);
    await fixture.answerOpen();
    await opened;
  });

  test('leaves no timer of a back-off behind', async () => {
    longestBackOff();
    const fixture = await openFixture();
    await fixture.append('a');
    await fixture.sending().answer(retryAll('broker is gone', 10_000));
    await fixture.delivery.drain(1000, AbortSignal.abort());
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is not undone by a sink that opens too late', async () => {
    const fixture = createDeliveryFixture();
    const opened = fixture.delivery.open();
    await fixture.append('a');
    await fixture.delivery.drain(1000, AbortSignal.abort());
    await fixture.answerOpen();
    expect(await opened).toBeNull();
    expect(fixture.delivery.status().state).toBe('opening');
    expect(fixture.sink.sent).toEqual([]);
  });

  describe('while the sink is closing', () => {
    /** A sink that takes its time to close, with one batch in flight. */
    async function closeSlowly() {
      const fixture = await openFixture();
      await fixture.append('a');
      let finish = () => {};
      fixture.sink.close = () => new Promise((resolve) => (finish = resolve));
      const drained = fixture.delivery.drain(0, AbortSignal.abort());
      return {
        fixture,
        async finishClosing() {
          finish();
          await drained;
        },
      };
    }

    test('what it acknowledges is settled: it does not come again', async () => {
      const { fixture, finishClosing } = await closeSlowly();
      await fixture.sending().answer(ACKNOWLEDGED);
      expect(fixture.spool.bytes).toBe(0);
      await finishClosing();
      expect(fixture.account).toMatchObject({ delivered: 1, in_flight: 0, dropped: {} });
    });

    test('what it cannot take is no fault to tell, and nothing is tried again', async () => {
      const { fixture, finishClosing } = await closeSlowly();
      await fixture.sending().answer(retryAll('broker is gone', 0));
      expect(fixture.faults).toEqual([]);
      await pass(1);
      await finishClosing();
      expect(fixture.sink.sent).toEqual([['a']]);
      expect(fixture.account).toMatchObject({ delivered: 0, dropped: { shutdown: 1 } });
    });
  });

  test('ends at once when it is told to, and when the sink turns out to be one that only an operator can mend', async () => {
    const told = await openFixture({ maxInFlight: 1 });
    await told.append('a');
    const stop = new AbortController();
    const drained = told.delivery.drain(60_000, stop.signal);
    stop.abort();
    await drained;
    const failing = createDeliveryFixture();
    const opened = failing.delivery.open();
    await failing.append('a');
    const failed = failing.delivery.drain(60_000);
    await failing.answerOpen({ problem: 'no such topic', mayPass: false });
    await failed;
    expect(await opened).toBe('no such topic');
    for (const { sink, account, expectBalance } of [told, failing]) {
      expect(sink.closed).toBe(1);
      expect(account.dropped).toEqual({ shutdown: 1 });
      expectBalance();
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  test('with nothing left closes at once', async () => {
    const fixture = await openFixture();
    await fixture.delivery.drain(60_000);
    expect(fixture.sink.closed).toBe(1);
    expect(fixture.account.dropped).toEqual({});
  });

  test('waits until everything is delivered', async () => {
    const fixture = await openFixture({ maxInFlight: 1 });
    for (const text of ['a', 'b', 'c']) await fixture.append(text);
    const drained = fixture.delivery.drain(60_000);
    await fixture.sending().answer(retryAll('broker is gone', 10));
    await pass(10);
    for (let count = 0; count < 3; count++) {
      expect(fixture.sink.closed).toBe(0);
      await fixture.sending().answer(ACKNOWLEDGED);
    }
    await drained;
    expect(fixture.sink.closed).toBe(1);
    expect(fixture.account).toMatchObject({ delivered: 3, dropped: {}, queued: 0, in_flight: 0 });
    expect(vi.getTimerCount()).toBe(0);
    fixture.expectBalance();
  });

  test('drops what is left after its time, queued, in flight and waiting for a retry', async () => {
    const fixture = await openFixture({ maxInFlight: 2 });
    await fixture.append('a', 'b');
    await fixture.append('c');
    await fixture.append('d');
    await fixture.sending().answer({ refused: [], retry: { events: [1], afterMs: 1e6, reason: 'timeout' } });
    const late = fixture.sending();
    const drained = fixture.delivery.drain(5000);
    await pass(4999);
    expect(fixture.account.dropped).toEqual({});
    await pass(1);
    await drained;
    expect(fixture.account).toMatchObject({
      delivered: 1,
      dropped: { shutdown: 3 },
      queued: 0,
      in_flight: 0,
    });
    fixture.expectBalance();
    // An answer that comes too late is of events that are accounted for already.
    await late.answer(ACKNOWLEDGED);
    await pass(1e7);
    expect(fixture.account).toMatchObject({ delivered: 1, dropped: { shutdown: 3 } });
    expect(fixture.sink.sent.flat()).toEqual(['a', 'b', 'c']);
    fixture.expectBalance();
  });
});

describe('whatever the sink answers', () => {
  const share = fc.constantFrom('acknowledge', 'refuse', 'retry' as const);
  const answer = fc.record({
    shares: fc.array(share, { minLength: 6, maxLength: 6 }),
    rest: fc.boolean(),
    afterMs: fc.constantFrom(null, 0, 1, 500),
  });
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 6 }) }),
    },
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('answer' as const), place: fc.nat({ max: 3 }), answer }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(0, 1, 100, 20_000) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('open' as const), fails: fc.boolean() }) },
  );

  function resultOf(
    count: number,
    { shares, rest, afterMs }: { shares: string[]; rest: boolean; afterMs: number | null },
  ): SendResult {
    const places = Array.from({ length: count }, (_, index) => index);
    const refused = places.filter((index) => shares[index] === 'refuse');
    const retry = places.filter((index) => shares[index] === 'retry');
    return {
      refused: refused.map((index) => ({
        index,
        reason: index % 2 === 0 ? 'invalid_record' : 'bad_request',
      })),
      retry: rest
        ? { events: 'rest', afterMs, reason: 'all again' }
        : retry.length === 0
          ? null
          : { events: retry, afterMs, reason: 'some again' },
    };
  }

  test('the account balances after every step, and each event ends in exactly one place', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        fc.boolean(),
        async (steps, maxInFlight, patient) => {
          const fixture = createDeliveryFixture({ maxInFlight });
          const fate = new Map<string, string>();
          let named = 0;
          const opened = fixture.delivery.open();
          const check = () => {
            fixture.expectBalance();
            expect(fixture.sink.sending.length).toBeLessThanOrEqual(maxInFlight);
            const { account } = fixture;
            expect(Math.min(account.queued, account.in_flight)).toBeGreaterThanOrEqual(0);
            const fates = [...fate.values()];
            expect(account.delivered).toBe(fates.filter((one) => one === 'delivered').length);
            expect(total(account.rejected)).toBe(fates.filter((one) => one === 'rejected').length);
          };
          const answerOne = async (place: number, result: (count: number) => SendResult) => {
            const one = fixture.sink.sending[place % Math.max(1, fixture.sink.sending.length)];
            if (one === undefined) return;
            const given = result(one.texts.length);
            const refused = new Set(given.refused.map(({ index }) => index));
            for (const [index, text] of one.texts.entries()) {
              expect(fate.get(text)).toBe('waiting');
              const again =
                given.retry !== null &&
                (given.retry.events === 'rest' ? !refused.has(index) : given.retry.events.includes(index));
              if (refused.has(index)) fate.set(text, 'rejected');
              else if (!again) fate.set(text, 'delivered');
            }
            await one.answer(given);
          };
          for (const one of steps) {
            if (one.kind === 'append') {
              const texts = Array.from({ length: one.count }, () => `event ${named++}`);
              for (const text of texts) fate.set(text, 'waiting');
              await fixture.append(...texts);
            } else if (one.kind === 'answer') {
              await answerOne(one.place, (count) => resultOf(count, one.answer));
            } else if (one.kind === 'pass') {
              await pass(one.ms);
            } else if (fixture.sink.opening.length > 0) {
              await fixture.answerOpen(one.fails ? { problem: 'not yet', mayPass: true } : null);
            }
            check();
          }
          const drained = fixture.delivery.drain(1_000_000);
          while (patient && fixture.sink.closed === 0) {
            if (fixture.sink.opening.length > 0) await fixture.answerOpen();
            await answerOne(0, () => ACKNOWLEDGED);
            check();
            if (fixture.sink.closed === 0) await pass(10_000);
          }
          await pass(1_000_000);
          await drained;
          if (fixture.sink.opening.length > 0) await fixture.answerOpen();
          await opened;
          check();
          const left = [...fate.values()].filter((one) => one === 'waiting').length;
          expect(total(fixture.account.dropped)).toBe(left);
          if (patient) expect(left).toBe(0);
          expect(fixture.account).toMatchObject({ queued: 0, in_flight: 0 });
          expect(fixture.sink.closed).toBe(1);
        },
      ),
      { numRuns: 1000 },
    );
  }, 60_000);
});
