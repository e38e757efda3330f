import { expect, test } from 'vitest';
import { createBatchMemory } from '../../../../src/pipeline/spool/batch-memory.ts';

const KIB = 1024;

test('memory that was given back is used again by a batch of about that size', () => {
  const memory = createBatchMemory();
  const first = memory.take(300 * KIB);
  expect(first).toHaveLength(300 * KIB);
  memory.release(first);
  const second = memory.take(310 * KIB);
  expect(second).toHaveLength(310 * KIB);
  expect(second.buffer).toBe(first.buffer);
});

test('two batches never have the same memory, also if one is given back twice', () => {
  const memory = createBatchMemory();
  const first = memory.take(100 * KIB);
  memory.release(first);
  memory.release(first);
  expect(memory.take(100 * KIB).buffer).not.toBe(memory.take(100 * KIB).buffer);
});

test('a batch holds no more than half again what it says', () => {
  for (let bytes = 1; bytes < 2048 * KIB; bytes += 7919) {
    const memory = createBatchMemory();
    memory.release(memory.take(1024 * KIB));
    const taken = memory.take(bytes);
    expect(taken).toHaveLength(bytes);
    expect(taken.buffer.byteLength).toBeLessThanOrEqual(1.5 * bytes);
  }
});

test('keeps a few megabytes for later, those that were given back last', () => {
  const memory = createBatchMemory();
  const taken = Array.from({ length: 10 }, () => memory.take(1024 * KIB));
  for (const bytes of taken) memory.release(bytes);
  const again = Array.from({ length: 10 }, () => memory.take(1024 * KIB).buffer);
  expect(again.slice(0, 4)).toEqual(
    taken
      .slice(-4)
      .reverse()
      .map(({ buffer }) => buffer),
  );
  expect(again.slice(4).filter((buffer) => taken.some((bytes) => bytes.buffer === buffer))).toEqual([]);
});

test('keeps nothing that so many batches had no use for, however small they are', () => {
  const memory = createBatchMemory();
  const [kept, given] = [memory.take(500 * KIB), memory.take(500 * KIB)];
  memory.release(given);
  for (let batch = 0; batch < 20; batch++) memory.take(100);
  memory.release(kept);
  for (let batch = 0; batch < 20; batch++) memory.take(100);
  const again = [memory.take(500 * KIB), memory.take(500 * KIB)];
  expect(again.map(({ buffer }) => buffer === kept.buffer)).toEqual([true, false]);
  expect(again.some(({ buffer }) => buffer === given.buffer)).toBe(false);
});

test('keeps nothing of memory that is not its own', () => {
  const memory = createBatchMemory();
  const other = Buffer.alloc(100 * KIB);
  memory.release(other);
  expect(memory.take(100 * KIB).buffer).not.toBe(other.buffer);
});
