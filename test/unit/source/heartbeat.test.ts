import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createHeartbeat, type Found } from '../../../src/source/heartbeat.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const NOTHING: Found = { records: 0, hasPages: false, isHolding: false, more: false, isPaused: false };
const PAUSED: Found = { ...NOTHING, isPaused: true };
const some = (records: number): Found => ({ ...NOTHING, records, hasPages: true });
/** More than what makes it worth while to wait for the next. */
const MANY = some(200);
const more = (records: number): Found => ({ ...some(records), more: true });

interface Setting {
  readonly lingerMs?: number;
  readonly bufferKb?: number;
  readonly canWait?: boolean;
}

/** A heartbeat whose slices find what the test says, and the times at which they are read, in milliseconds. */
function openHeartbeat(find: (slice: number, atMs: number) => Found, setting: Setting = {}) {
  const { lingerMs = 200, bufferKb = 4096, canWait = true } = setting;
  const times: number[] = [];
  const looks: number[] = [];
  const began = performance.now();
  const now = () => Math.round(performance.now() - began);
  let onReady: (() => void) | null = null;
  const buffer = { fill: 0 };
  const heartbeat = createHeartbeat({
    lingerMs,
    bufferKb,
    read() {
      times.push(now());
      return find(times.length, now());
    },
    wait(ready) {
      onReady = canWait ? ready : null;
      return canWait;
    },
    look() {
      looks.push(now());
      return buffer.fill;
    },
  });
  return {
    heartbeat,
    times,
    looks,
    buffer,
    isWaiting: () => onReady !== null,
    recordsArrive() {
      const ready = onReady;
      onReady = null;
      ready?.();
    },
  };
}

describe('a round', () => {
  test('is due a linger after the one before it while records come, or while the pipeline is full', () => {
    for (const found of [MANY, PAUSED]) {
      const { heartbeat, times, isWaiting } = openHeartbeat(() => found);
      heartbeat.beat();
      vi.advanceTimersByTime(1_000);
      expect(times).toEqual([0, 200, 400, 600, 800, 1_000]);
      expect(isWaiting()).toBe(false);
      heartbeat.stop();
    }
  });

  test('has as many slices as it takes to read everything, in one turn after the other', () => {
    const { heartbeat, times } = openHeartbeat((slice) => (slice < 4 ? more(100) : some(100)));
    heartbeat.beat();
    expect(times).toEqual([0]);
    vi.advanceTimersByTime(199);
    expect(times).toHaveLength(4);
    // A linger after the beginning of the round.
    vi.advanceTimersByTime(1);
    expect(times).toHaveLength(5);
  });

  test('that finds nothing is followed by a wait, and by a look every 2.4 s', () => {
    const { heartbeat, times, isWaiting } = openHeartbeat(() => NOTHING);
    heartbeat.beat();
    expect(isWaiting()).toBe(true);
    vi.advanceTimersByTime(10_000);
    expect(times).toEqual([0, 2_400, 4_800, 7_200, 9_600]);
    expect(isWaiting()).toBe(true);
  });

  test('is due a linger after the first record of a wait, and the look that was due does not come as well', () => {
    const { heartbeat, times, recordsArrive, isWaiting } = openHeartbeat((slice) =>
      slice === 2 ? MANY : NOTHING,
    );
    heartbeat.beat();
    vi.advanceTimersByTime(2_300);
    recordsArrive();
    vi.advanceTimersByTime(199);
    expect(times).toEqual([0]);
    vi.advanceTimersByTime(201);
    expect(times).toEqual([0, 2_500, 2_700]);
    expect(isWaiting()).toBe(true);
    vi.advanceTimersByTime(2_399);
    expect(times).toHaveLength(3);
  });

  test('is followed by another one where its pages had no record that is old enough', () => {
    const young = { ...some(0), isHolding: true };
    const { heartbeat, times, isWaiting } = openHeartbeat((slice) => (slice === 1 ? young : NOTHING));
    heartbeat.beat();
    expect(isWaiting()).toBe(false);
    vi.advanceTimersByTime(200);
    expect(times).toEqual([0, 200]);
    expect(isWaiting()).toBe(true);
  });

  test('comes at once where it is wanted, in the place of the one that is due', () => {
    for (const found of [MANY, some(1), NOTHING]) {
      const { heartbeat, times } = openHeartbeat(() => found);
      heartbeat.beat();
      vi.advanceTimersByTime(150);
      heartbeat.beat();
      vi.advanceTimersByTime(199);
      expect(times).toEqual([0, 150]);
      heartbeat.stop();
      heartbeat.beat();
      expect(times).toHaveLength(2);
    }
  });

  test('comes every linger if this process cannot wait', () => {
    const { heartbeat, times } = openHeartbeat(() => NOTHING, { canWait: false });
    heartbeat.beat();
    vi.advanceTimersByTime(1_000);
    expect(times).toHaveLength(6);
  });

  test('comes no more often than every 10 ms, however short the linger', () => {
    const { heartbeat, times } = openHeartbeat(() => MANY, { lingerMs: 0 });
    heartbeat.beat();
    vi.advanceTimersByTime(40);
    expect(times).toEqual([0, 10, 20, 30, 40]);
  });

  test('follows a linger that was changed', () => {
    const { heartbeat, times } = openHeartbeat(() => MANY);
    heartbeat.beat();
    vi.advanceTimersByTime(200);
    heartbeat.setLinger(50);
    vi.advanceTimersByTime(300);
    expect(times).toEqual([0, 200, 400, 450, 500]);
  });
});

describe('a round of few records', () => {
  test('is followed by one that is due a linger after the next record', () => {
    const { heartbeat, times, recordsArrive } = openHeartbeat(() => some(20));
    heartbeat.beat();
    for (let count = 0; count < 3; count++) {
      vi.advanceTimersByTime(150);
      recordsArrive();
      vi.advanceTimersByTime(200);
    }
    expect(times).toEqual([0, 350, 700, 1_050]);
    heartbeat.stop();
  });

  test('is followed by one after two lingers where no record comes, and at last by a wait', () => {
    const { heartbeat, times, isWaiting } = openHeartbeat((slice) => (slice === 1 ? some(20) : NOTHING));
    heartbeat.beat();
    vi.advanceTimersByTime(2_799);
    expect(times).toEqual([0, 400]);
    expect(isWaiting()).toBe(true);
    vi.advanceTimersByTime(1);
    expect(times).toEqual([0, 400, 2_800]);
  });

  test.each<[string, Found, Setting]>([
    ['some records are too young to be given', { ...some(20), isHolding: true }, {}],
    ['the pipeline is full', { ...some(20), isPaused: true }, {}],
    ['this process cannot wait', some(20), { canWait: false }],
  ])('is followed by one after a linger where %s', (_, found, setting) => {
    const { heartbeat, times } = openHeartbeat(() => found, setting);
    heartbeat.beat();
    vi.advanceTimersByTime(400);
    expect(times).toEqual([0, 200, 400]);
    heartbeat.stop();
  });

  test('with a linger of nothing is followed by one 10 ms after the next record', () => {
    const { heartbeat, times, recordsArrive } = openHeartbeat(() => some(20), { lingerMs: 0 });
    heartbeat.beat();
    recordsArrive();
    vi.advanceTimersByTime(10);
    expect(times).toEqual([0, 10]);
    heartbeat.stop();
  });
});

describe('a wait that a round has overtaken', () => {
  /** A round that finds nothing begins a wait, and another one comes 100 ms later. */
  function overtake(found: Found) {
    const opened = openHeartbeat((slice) => (slice === 2 ? found : slice === 1 ? NOTHING : MANY));
    opened.heartbeat.beat();
    expect(opened.isWaiting()).toBe(true);
    vi.advanceTimersByTime(100);
    opened.heartbeat.beat();
    return opened;
  }

  test('does not keep the round from going on', () => {
    const { times, recordsArrive } = overtake(more(200));
    recordsArrive();
    vi.advanceTimersByTime(0);
    expect(times).toEqual([0, 100, 100]);
  });

  test('does not put off the round that is due', () => {
    const { times, recordsArrive } = overtake(MANY);
    vi.advanceTimersByTime(150);
    recordsArrive();
    vi.advanceTimersByTime(150);
    expect(times).toEqual([0, 100, 300]);
  });
});

describe('many records', () => {
  /** A source that makes so many records per millisecond. */
  function openSource(rate: () => number, setting: Setting = {}) {
    let readAt = 0;
    const sizes: number[] = [];
    const opened = openHeartbeat((_, atMs) => {
      const records = Math.round((atMs - readAt) * rate());
      readAt = atMs;
      sizes.push(records);
      return some(records);
    }, setting);
    return { ...opened, sizes };
  }

  test.each([
    ['10,000 events per second', 7, 200],
    ['50,000 events per second', 35, 97],
    ['500,000 events per second', 350, 10],
  ])('make rounds of a bounded size: %s', (_, perMs, everyMs) => {
    const { heartbeat, times } = openSource(() => perMs);
    heartbeat.beat();
    vi.advanceTimersByTime(5_000);
    const [before = 0, last = 0] = times.slice(-2);
    expect(last - before).toBe(everyMs);
    heartbeat.stop();
  });

  test('of which a small buffer holds few make rounds of a quarter of it', () => {
    const { heartbeat, sizes } = openSource(() => 10, { bufferKb: 64 });
    heartbeat.beat();
    vi.advanceTimersByTime(5_000);
    // 64 KiB hold some 820 records.
    expect(sizes.at(-1)).toBeLessThanOrEqual(210);
    heartbeat.stop();
  });

  test('that come only for a moment make the next rounds rare again', () => {
    let perMs = 350;
    const { heartbeat, times } = openSource(() => perMs);
    heartbeat.beat();
    vi.advanceTimersByTime(1_000);
    perMs = 1;
    vi.advanceTimersByTime(1_000);
    const [before = 0, last = 0] = times.slice(-2);
    expect(last - before).toBe(200);
    heartbeat.stop();
  });
});

describe('a buffer that fills', () => {
  test('is not looked at with the default linger and buffer, which takes longer to fill', () => {
    const { heartbeat, looks } = openHeartbeat(() => MANY, { lingerMs: 240 });
    heartbeat.beat();
    vi.advanceTimersByTime(5_000);
    expect(looks).toEqual([]);
  });

  test.each([
    ['a long linger', { lingerMs: 10_000 }, 256],
    ['a small buffer', { bufferKb: 1_024 }, 64],
  ])('with %s is read as soon as it is a quarter full', (_, setting, stepMs) => {
    const { heartbeat, times, looks, buffer } = openHeartbeat(() => MANY, setting);
    heartbeat.beat();
    vi.advanceTimersByTime(2 * stepMs);
    expect(times).toEqual([0]);
    expect(looks).toHaveLength(2);
    buffer.fill = 0.3;
    vi.advanceTimersByTime(stepMs);
    expect(looks).toHaveLength(3);
    expect(times).toHaveLength(2);
    heartbeat.stop();
  });

  test('and does not is read when the linger is over', () => {
    const { heartbeat, times, looks } = openHeartbeat(() => MANY, { lingerMs: 1_000, bufferKb: 3_200 });
    heartbeat.beat();
    vi.advanceTimersByTime(2_100);
    expect(times).toEqual([0, 1_000, 2_000]);
    expect(looks.slice(0, 5)).toEqual([200, 400, 600, 800, 1_200]);
  });
});

describe('a heartbeat that was stopped', () => {
  test.each<[string, Found]>([
    ['a timer', MANY],
    ['few records', some(1)],
    ['the next turn', more(1)],
    ['records', NOTHING],
  ])('reads no more, whatever it waits for: %s', (_, found) => {
    const { heartbeat, times, recordsArrive } = openHeartbeat(() => found);
    heartbeat.beat();
    const before = times.length;
    heartbeat.stop();
    recordsArrive();
    vi.advanceTimersByTime(10_000);
    expect(times).toHaveLength(before);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('may be stopped by what it reads', () => {
    const { heartbeat, times } = openHeartbeat((slice) => {
      if (slice === 2) heartbeat.stop();
      return MANY;
    });
    heartbeat.beat();
    vi.advanceTimersByTime(1_000);
    expect(times).toEqual([0, 200]);
  });
});
