import { expect, test } from 'vitest';
import type { LogEntry } from '../../../../src/pipeline/spool/log.ts';
import { createTaken } from '../../../../src/pipeline/spool/taken.ts';
import { batchOfTexts } from '../../../support/batch.ts';

/** An entry of `count` events that is in memory only. */
function entryOf(start: number, count: number): LogEntry {
  const batch = batchOfTexts(Array.from({ length: count }, (_, index) => `${start + index}`));
  return { start, batch, place: null, mark: null };
}

const segmentOf = (first: number, end: number) => ({ first, end, bytes: 0, path: '', isSealed: true });

test('the oldest event in flight is that of the oldest batch that is not settled, whatever is settled first', () => {
  const taken = createTaken();
  expect(taken.oldest).toBeNull();
  for (const start of [10, 20, 30]) taken.add({ start, end: start + 10, volatile: [] });
  taken.settle(20);
  expect(taken.oldest).toBe(10);
  taken.settle(10);
  expect(taken.oldest).toBe(30);
  expect(() => taken.settle(10)).toThrow('batch 10 was not taken, or is settled already');
  taken.settle(30);
  expect(taken.oldest).toBeNull();
});

test('a segment is busy while one of its events is in flight', () => {
  const taken = createTaken();
  taken.add({ start: 10, end: 20, volatile: [] });
  const busy = [
    [0, 10],
    [0, 11],
    [12, 15],
    [0, 99],
    [19, 30],
    [20, 30],
  ].map(([first = 0, end = 0]) => taken.isBusyIn(segmentOf(first, end)));
  expect(busy).toEqual([false, true, true, true, true, false]);
  taken.settle(10);
  expect(taken.isBusyIn(segmentOf(0, 99))).toBe(false);
});

test('an entry that is stored is taken from the batch that holds it, and from no other', () => {
  const taken = createTaken();
  const [a, b, c] = [entryOf(10, 2), entryOf(12, 3), entryOf(15, 4)];
  taken.add({ start: 10, end: 15, volatile: [a, b] });
  taken.add({ start: 15, end: 19, volatile: [c] });
  expect(taken.volatileEvents).toBe(9);
  taken.noteStored(entryOf(19, 1));
  expect(taken.volatileEvents).toBe(9);
  taken.noteStored(b);
  expect(taken.volatileEvents).toBe(6);
  taken.noteStored(c);
  expect(taken.volatileEvents).toBe(2);
  taken.settle(10);
  expect(taken.volatileEvents).toBe(0);
});
