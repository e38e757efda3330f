import { getEventListeners } from 'node:events';
import { describe, expect, test, vi } from 'vitest';
import { spool } from '../../../../src/ledger/booking.ts';
import { DONE, refusal } from '../../../../src/shared/result.ts';
import { ACKNOWLEDGED, retryAll } from '../../../../src/sink/sink.ts';
import { settle } from '../scripted-sink.ts';
import { createDeliveryFixture, longestBackOff, openFixture, pass, useFakeClock } from './fixture.ts';

useFakeClock();

describe('draining', () => {
  test('that is stopped before it begins waits for nothing', async () => {
    const fixture = await openFixture();
    await fixture.append('a');
    await fixture.delivery.drain(60_000, AbortSignal.abort());
    expect(fixture.sink.closed).toBe(1);
    expect(fixture.account.dropped).toEqual({ shutdown: 1 });
  });

  test('waits while its stop signal is not aborted', async () => {
    const fixture = await openFixture();
    await fixture.append('a');
    const drained = fixture.delivery.drain(60_000, new AbortController().signal);
    await settle();
    expect(fixture.sink.closed).toBe(0);
    await fixture.sending().answer(ACKNOWLEDGED);
    await drained;
    expect(fixture.account).toMatchObject({ delivered: 1, dropped: {} });
  });

  test('listens to its stop signal only until it ends', async () => {
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

  test('stays stopped when the sink opens later', async () => {
    const fixture = createDeliveryFixture();
    const opened = fixture.delivery.open();
    await fixture.append('a');
    await fixture.delivery.drain(1000, AbortSignal.abort());
    await fixture.answerOpen();
    expect(await opened).toEqual(DONE);
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

    test('what it cannot take is not reported as a fault, and nothing is tried again', async () => {
      const { fixture, finishClosing } = await closeSlowly();
      await fixture.sending().answer(retryAll('broker is gone', 0));
      expect(fixture.faults).toEqual([]);
      await pass(1);
      await finishClosing();
      expect(fixture.sink.sent).toEqual([['a']]);
      expect(fixture.account).toMatchObject({ delivered: 0, dropped: { shutdown: 1 } });
    });
  });

  test('ends at once when it is stopped, and when the sink has a problem that only an operator can solve', async () => {
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
    expect(await opened).toEqual(refusal('no such topic'));
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
