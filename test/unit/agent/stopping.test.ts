import { expect, test } from 'vitest';
import { createStopping } from '../../../src/agent/stopping.ts';

function setUp(timeoutMs = 10_000) {
  const calls: (number | undefined | 'told')[] = [];
  const source = {
    async stop(patienceMs?: number) {
      calls.push(patienceMs);
    },
  };
  const stopping = createStopping({ source, timeoutMs, onStopping: () => calls.push('told') });
  return { calls, stopping };
}

test('a stop before the source runs waits until it runs', () => {
  const { calls, stopping } = setUp();
  stopping.stop();
  expect(calls).toEqual([]);
  stopping.begin();
  expect(calls).toEqual(['told', 10_000]);
});

test('the source is stopped once, however often it is asked for', async () => {
  const { calls, stopping } = setUp();
  stopping.begin();
  expect(calls).toEqual([]);
  stopping.stop();
  stopping.stop();
  stopping.giveUp('no such topic');
  await stopping.stopped();
  expect(calls).toEqual(['told', 10_000]);
});

test('a problem of the operator stops the source without patience; the first one is the result', () => {
  const { calls, stopping } = setUp();
  stopping.begin();
  expect(stopping.result()).toEqual({ ok: true });
  stopping.giveUp('no such topic');
  stopping.giveUp('no such topic either');
  expect(calls).toEqual(['told', 0]);
  expect(stopping.result()).toEqual({ ok: false, problem: 'no such topic' });
});

test('the time that is left begins with the stop', async () => {
  const { stopping } = setUp();
  stopping.begin();
  expect(stopping.timeLeftMs()).toBe(Number.POSITIVE_INFINITY);
  await stopping.stopped();
  expect(stopping.timeLeftMs()).toBeLessThanOrEqual(10_000);
  expect(stopping.timeLeftMs()).toBeGreaterThan(0);
  const late = setUp(-1);
  await late.stopping.stopped();
  expect(late.stopping.timeLeftMs()).toBe(0);
});
