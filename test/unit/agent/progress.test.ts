/** How far the kernel's records are processed, and what a crash cost, with a source that counts as it is told. */
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { createProgress } from '../../../src/agent/progress.ts';
import { hold } from '../../../src/ledger/booking.ts';
import { createLedger } from '../../../src/ledger/ledger.ts';
import type { SpoolMark } from '../../../src/pipeline/spool/disk/frame.ts';
import { collectLines } from '../telemetry/log-lines.ts';

const INSTANCE = Buffer.alloc(24, 1);

function setUp(options: { previous?: SpoolMark; hasPosition?: boolean } = {}) {
  const { previous = null, hasPosition = true } = options;
  const state = { records: 0 };
  const saved: SpoolMark[] = [];
  const ledger = createLedger([]);
  const lines = collectLines();
  const progress = createProgress({
    source: { position: () => (hasPosition ? { instance: INSTANCE, records: state.records } : null) },
    ledger,
    log: pino({ base: null }, lines.stream),
    previous,
    save: (mark) => saved.push(mark),
  });
  return { state, saved, ledger, lines, progress };
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

  test('of its own comes after each round whose records led to no event, and not again without a record', () => {
    const { state, saved, progress } = setUp();
    for (const records of [5, 6, 6, 9]) {
      state.records = records;
      progress.update();
    }
    expect(saved.map(({ records }) => records)).toEqual([5, 6, 9]);
  });

  test('of its own is not needed after a batch that had it', () => {
    const { state, saved, progress } = setUp();
    state.records = 5;
    progress.markForBatch();
    progress.update();
    expect(saved).toEqual([]);
  });

  test('of its own is not needed after that of the start', () => {
    const previous = { instance: INSTANCE, records: 100, held: 0 };
    const { state, saved, progress } = setUp({ previous });
    state.records = 100;
    progress.countCrash();
    progress.update();
    expect(saved).toHaveLength(1);
  });
});
