import { describe, expect, test, vi } from 'vitest';
import { DONE, refusal } from '../../../../src/shared/result.ts';
import { createDeliveryFixture, longestBackOff, pass, useFakeClock } from './fixture.ts';

useFakeClock();

describe('opening', () => {
  test('holds batches back until the sink is ready', async () => {
    const fixture = createDeliveryFixture();
    const opened = fixture.delivery.open();
    await fixture.append('a');
    expect(fixture.sink.sent).toEqual([]);
    expect(fixture.delivery.status()).toMatchObject({ state: 'opening', problem: null });
    await fixture.answerOpen();
    expect(await opened).toEqual(DONE);
    expect(fixture.sink.sent).toEqual([['a']]);
    expect(fixture.delivery.status().state).toBe('ready');
  });

  test('is tried again as long as the problem may pass', async () => {
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
    expect(await opened).toEqual(DONE);
    expect(fixture.delivery.status()).toMatchObject({ state: 'ready', problem: null, retries: 4 });
  });

  test('begins after a random part of the spread, so that a fleet does not connect at one moment', async () => {
    for (const part of [0.001, 0.25, 1]) {
      vi.spyOn(Math, 'random').mockReturnValue(part);
      const fixture = createDeliveryFixture();
      const opened = fixture.delivery.open(3_000);
      await fixture.append('a');
      await pass(part * 3_000 - 1);
      expect(fixture.sink.opening).toHaveLength(0);
      await pass(1);
      await fixture.answerOpen();
      expect(await opened).toEqual(DONE);
      expect(fixture.sink.sent).toEqual([['a']]);
    }
  });

  test('is not waited for when the agent stops before it has begun', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const fixture = createDeliveryFixture();
    const opened = fixture.delivery.open(600_000);
    await fixture.append('a');
    const drained = fixture.delivery.drain(1_000);
    await pass(1_000);
    await Promise.all([opened, drained]);
    expect(fixture.account.dropped).toEqual({ shutdown: 1 });
    fixture.expectBalance();
  });

  test('ends with a problem that only an operator can solve, and then nothing is sent', async () => {
    const fixture = createDeliveryFixture();
    const opened = fixture.delivery.open();
    await fixture.append('a');
    await fixture.answerOpen({ problem: 'there is no topic ktc-events', mayPass: false });
    expect(await opened).toEqual(refusal('there is no topic ktc-events'));
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
    expect(await opened).toEqual(DONE);
    expect(fixture.sink.opening).toHaveLength(0);
    expect(fixture.account.dropped).toEqual({ shutdown: 1 });
    fixture.expectBalance();
  });
});
