import { expect, test } from 'vitest';
import { createEntries } from '../../../../src/pipeline/spool/entries.ts';
import type { LogEntry } from '../../../../src/pipeline/spool/log.ts';
import { batchOfTexts } from '../../../support/batch.ts';

const SEGMENT = { first: 2, end: 6, bytes: 0, path: '', isSealed: true };
const PLACE = { segment: SEGMENT, at: 16, next: 100 };

/** Entries of two events, 10 bytes each, that begin with the events 0, 2, 4 and 6; the given ones are on disk too. */
function fill(stored: readonly number[]) {
  const settled: unknown[] = [];
  const entries = createEntries((batch) => settled.push(batch));
  for (const start of [0, 2, 4, 6]) {
    const entry: LogEntry = { start, batch: batchOfTexts(['aaaa', 'bbbb']), place: null, mark: null };
    entries.add(entry);
    if (stored.includes(start)) entries.noteStored(entry, PLACE);
  }
  const left = () => [0, 2, 4, 6].filter((start) => entries.at(start) !== null);
  return { entries, left, settled };
}

test('an entry is found by its first event, and the next one by any event before it', () => {
  const { entries } = fill([2]);
  expect(entries.at(2)).toMatchObject({ start: 2, place: PLACE });
  expect([entries.at(1), entries.at(8)]).toEqual([null, null]);
  expect([-1, 0, 1, 5, 6].map(entries.behind)).toEqual([0, 2, 2, 6, null]);
});

test('bytes count until an entry is forgotten, and as volatile until it is on disk', () => {
  const { entries } = fill([0, 2]);
  expect([entries.bytes, entries.volatileBytes]).toEqual([40, 20]);
  expect([...entries.volatile].map(({ start }) => start)).toEqual([4, 6]);
  entries.forgetBefore(6);
  expect([entries.bytes, entries.volatileBytes]).toEqual([10, 10]);
  entries.forgetBefore(8);
  expect([entries.bytes, entries.volatileBytes, entries.volatile.size]).toEqual([0, 0, 0]);
});

test('an entry is forgotten when all of its events are settled', () => {
  const { entries, left, settled } = fill([]);
  const first = entries.at(0)?.batch;
  entries.forgetBefore(3);
  expect(left()).toEqual([2, 4, 6]);
  expect(settled).toEqual([first]);
});

test('only what is on disk too is forgotten to save memory, the oldest first, and no more than needed', () => {
  const { entries, left, settled } = fill([2, 4, 6]);
  entries.trim(40);
  expect(left()).toEqual([0, 2, 4, 6]);
  entries.trim(25);
  expect(left()).toEqual([0, 6]);
  entries.trim(0);
  expect(left()).toEqual([0]);
  // A reader may have them in flight.
  expect(settled).toEqual([]);
});

test('what is in a removed segment is forgotten; what is only in memory is not', () => {
  const { entries, left, settled } = fill([0, 2, 6]);
  entries.forgetStoredIn(SEGMENT);
  expect(left()).toEqual([0, 4, 6]);
  expect(settled).toEqual([]);
});
