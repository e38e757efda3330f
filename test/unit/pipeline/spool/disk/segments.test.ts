import { expect, test } from 'vitest';
import { pending } from '../../../../../src/pipeline/spool/disk/segments.ts';

test('the events that a sink has not settled are those of the files behind its cursor', () => {
  const segments = [
    { first: 0, end: 10 },
    { first: 10, end: 15 },
    { first: 20, end: 21 },
  ];
  expect([0, 4, 10, 12, 15, 18, 20, 21, 99].map((cursor) => pending(segments, cursor))).toEqual([
    16, 12, 6, 4, 1, 1, 1, 0, 0,
  ]);
});
