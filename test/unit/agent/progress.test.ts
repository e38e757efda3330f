/** How far the kernel's records are processed, and what a crash cost, with a source that counts as it is told. */
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { createProgress } from '../../../src/agent/progress.ts';
import { hold } from '../../../src/ledger/booking.ts';
import { createLedger } from '../../../src/ledger/ledger.ts';
import type { SpoolMark } from '../../../src/pipeline/spool/disk/frame.ts';
import { collectLines } from '../telemetry/log-lines.ts';

const INSTANCE = Buffer.alloc(24, 1);

function setUp(options: { previous?: SpoolMark; intervalMs?: number; hasPosition?: boolean } = {}) {
  const { previous = null, intervalMs = 1000, hasPosition = true } = options;
  const state = { records: 0, now: 0, isEmpty: true, flushes: 0 };
  const saved: SpoolMark[] = [];
  const ledger = createLedger([]);
  const lines = collectLines();
  const progress = createProgress({
    source: { position: () => (hasPosition ? { instance: INSTANCE, records: state.records } : null) },
    ledger,
    log: pino({ base: null }, lines.stream),
    previous,
    intervalMs,
    save: (mark) => saved.push(mark),
    now: () => state.now,
  });
  const batcher = {
    get isEmpty() {
      return state.isEmpty;
    },
    flush() {
      state.flushes++;
    },
  };
  return { state, saved, ledger, lines, progress, update: () => progress.update(batcher) };
}

describe('a crash', () => {
  const previous = { instance: INSTANCE, records: 100, held: 2 };

  test('costs what was read since the last mark, and the events that were held then', () => {
    const { state, saved, ledger, lines, progress } = setUp({ previous });
    state.records = 140;
    progress.countCrash();
    expect(ledger.lost).toMatchObject({ crash: 42 });
    expect(lines.all()).toMatchObject([{ level: 40, records: 42 }]);
    // The next run counts from here, should this one be killed at once.
    expect(saved).toEqual([{ instance: INSTANCE, records: 140, held: 0 }]);
  });

  test('that cost nothing is not reported', () => {
    const { state, saved, ledger, lines, progress } = setUp({ previous: { ...previous, held: 0 } });
    state.records = 100;
    progress.countCrash();
    expect(ledger.lost).not.toHaveProperty('crash');
    expect(lines.all()).toEqual([]);
    expect(saved).toHaveLength(1);
  });

  test.each([
    ['of another instance', setUp({ previous: { ...previous, instance: Buffer.alloc(24, 2) } })],
    ['before the first mark', setUp()],
    ['of a replay', setUp({ previous, hasPosition: false })],
  ])('%s is not counted', (_, { state, saved, ledger, progress }) => {
    state.records = 140;
    progress.countCrash();
    expect(ledger.lost).not.toHaveProperty('crash');
    expect(saved).toEqual([]);
  });
});

describe('a mark', () => {
  test('goes with a batch, and has the number of held events', () => {
    const { state, ledger, progress } = setUp();
    state.records = 7;
    hold(ledger);
    expect(progress.markForBatch()).toEqual({ instance: INSTANCE, records: 7, held: 1 });
    expect(setUp({ hasPosition: false }).progress.markForBatch()).toBeNull();
  });

  test('of its own comes once per interval, where records came and no event waits', () => {
    const { state, saved, update } = setUp();
    state.records = 5;
    update();
    expect(saved.map(({ records }) => records)).toEqual([5]);
    state.records = 6;
    state.now = 999;
    update();
    expect(saved).toHaveLength(1);
    state.now = 1000;
    state.isEmpty = false;
    update();
    expect(saved).toHaveLength(1);
    state.isEmpty = true;
    update();
    expect(saved.map(({ records }) => records)).toEqual([5, 6]);
    state.now = 2000;
    update();
    expect(saved).toHaveLength(2);
  });

  test('of its own is not needed after a batch that had it', () => {
    const { state, saved, progress, update } = setUp();
    state.records = 5;
    progress.markForBatch();
    update();
    expect(saved).toEqual([]);
  });

  test('without an interval closes the batch first', () => {
    const { state, saved, update } = setUp({ intervalMs: 0 });
    state.records = 1;
    state.isEmpty = false;
    update();
    expect(state.flushes).toBe(1);
    expect(saved).toEqual([]);
    state.isEmpty = true;
    update();
    update();
    expect(state.flushes).toBe(3);
    expect(saved).toHaveLength(1);
  });
});
