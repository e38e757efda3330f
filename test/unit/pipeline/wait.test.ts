import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { backOffMs, createPauses, createWait } from '../../../src/pipeline/wait.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Whether a promise has resolved by now. */
async function isOver(promise: Promise<void>): Promise<boolean> {
  return await Promise.race([promise.then(() => true), vi.advanceTimersByTimeAsync(0).then(() => false)]);
}

describe('a wait', () => {
  test('is over after its time', async () => {
    const wait = createWait(100);
    await vi.advanceTimersByTimeAsync(99);
    expect(await isOver(wait.over)).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await isOver(wait.over)).toBe(true);
  });

  test('is over when it is ended or its signal is aborted, and leaves no timer', async () => {
    const stop = new AbortController();
    const [ended, aborted] = [createWait(100), createWait(100, stop.signal)];
    ended.end();
    ended.end();
    stop.abort();
    expect([await isOver(ended.over), await isOver(aborted.over)]).toEqual([true, true]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('may be longer than a timer of Node.js', async () => {
    const wait = createWait(2 ** 40);
    await vi.advanceTimersByTimeAsync(1_000_000);
    expect(await isOver(wait.over)).toBe(false);
    wait.end();
  });
});

test('stopping ends every pause', async () => {
  const pauses = createPauses();
  const both = [pauses.pause(100), pauses.pause(200)];
  await vi.advanceTimersByTimeAsync(100);
  expect([pauses.isStopped, ...(await Promise.all(both.map(isOver)))]).toEqual([false, true, false]);
  pauses.stop();
  expect([pauses.isStopped, ...(await Promise.all(both.map(isOver)))]).toEqual([true, true, true]);
  expect(vi.getTimerCount()).toBe(0);
});

test('the back-off doubles up to its longest, and is drawn at random below that', () => {
  const limits = { retryInitialMs: 100, retryMaxMs: 1000 };
  const random = vi.spyOn(Math, 'random').mockReturnValue(1);
  const attempts = [0, 1, 2, 3, 4, 2000];
  expect(attempts.map((attempt) => backOffMs(limits, attempt))).toEqual([100, 200, 400, 800, 1000, 1000]);
  random.mockReturnValue(0.25);
  expect(attempts.map((attempt) => backOffMs(limits, attempt))).toEqual([25, 50, 100, 200, 250, 250]);
  random.mockReturnValue(0);
  expect(backOffMs(limits, 3)).toBe(0);
});
