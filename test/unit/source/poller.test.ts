import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createPoller, type Found } from '../../../src/source/poller.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A poller whose polls find what the test says, and the times of its polls in milliseconds. */
function openPoller(find: (poll: number) => Found, canWait = true) {
  const times: number[] = [];
  const began = Date.now();
  let onReady: (() => void) | null = null;
  const poller = createPoller(
    () => {
      times.push(Date.now() - began);
      return find(times.length);
    },
    (ready) => {
      onReady = canWait ? ready : null;
      return canWait;
    },
  );
  return {
    poller,
    times,
    isWaiting: () => onReady !== null,
    recordsArrive() {
      const ready = onReady;
      onReady = null;
      ready?.();
    },
  };
}

describe('a poller', () => {
  test('polls every 30 ms while it finds records, or while the pipeline is full', () => {
    const { poller, times, isWaiting } = openPoller(() => 'some');
    poller.start();
    vi.advanceTimersByTime(150);
    expect(times).toEqual([0, 30, 60, 90, 120, 150]);
    expect(isWaiting()).toBe(false);
  });

  test('polls again in the next turn where there is more', () => {
    const { poller, times } = openPoller((poll) => (poll < 4 ? 'more' : 'some'));
    poller.start();
    expect(times).toEqual([0]);
    vi.advanceTimersByTime(29);
    expect(times).toHaveLength(4);
    // After the poll that found some.
    vi.advanceTimersByTime(29);
    expect(times).toHaveLength(5);
  });

  test('waits after four polls that found nothing, and polls once more after 2 s and every 5 s', () => {
    const { poller, times, isWaiting } = openPoller(() => 'nothing');
    poller.start();
    vi.advanceTimersByTime(89);
    expect(isWaiting()).toBe(false);
    vi.advanceTimersByTime(1);
    expect(times).toEqual([0, 30, 60, 90]);
    expect(isWaiting()).toBe(true);
    vi.advanceTimersByTime(60_000);
    expect(times.slice(0, 7)).toEqual([0, 30, 60, 90, 2_090, 7_090, 12_090]);
    expect(times).toHaveLength(16);
    expect(isWaiting()).toBe(true);
  });

  test('counts the polls that found nothing anew after one that found records', () => {
    const { poller, times, isWaiting } = openPoller((poll) => (poll === 3 ? 'some' : 'nothing'));
    poller.start();
    vi.advanceTimersByTime(150);
    expect(times).toHaveLength(6);
    expect(isWaiting()).toBe(false);
    vi.advanceTimersByTime(30);
    expect(isWaiting()).toBe(true);
  });

  test('polls at once when records arrive, and not a second time for the poll that was due', () => {
    const { poller, times, recordsArrive, isWaiting } = openPoller((poll) =>
      poll <= 4 ? 'nothing' : 'some',
    );
    poller.start();
    vi.advanceTimersByTime(1_000);
    expect(isWaiting()).toBe(true);
    recordsArrive();
    vi.advanceTimersByTime(1_100);
    expect(times.slice(4, 7)).toEqual([1_000, 1_030, 1_060]);
    expect(times.filter((time) => time > 2_000)).toEqual([2_020, 2_050, 2_080]);
  });

  test('polls on every 30 ms if it cannot wait', () => {
    const { poller, times } = openPoller(() => 'nothing', false);
    poller.start();
    vi.advanceTimersByTime(300);
    expect(times).toHaveLength(11);
  });

  test.each<[string, Found]>([
    ['a timer', 'some'],
    ['the next turn', 'more'],
    ['records', 'nothing'],
  ])('polls no more after it was stopped, whatever it waits for: %s', (_, found) => {
    const { poller, times, recordsArrive } = openPoller(() => found);
    poller.start();
    if (found === 'nothing') vi.advanceTimersByTime(500);
    const before = times.length;
    poller.stop();
    recordsArrive();
    vi.advanceTimersByTime(10_000);
    expect(times).toHaveLength(before);
  });

  test('may be stopped by the poll itself', () => {
    const { poller, times } = openPoller((poll) => {
      if (poll === 2) poller.stop();
      return 'some';
    });
    poller.start();
    vi.advanceTimersByTime(1_000);
    expect(times).toEqual([0, 30]);
  });
});
