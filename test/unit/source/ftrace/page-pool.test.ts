import { expect, test } from 'vitest';
import { createPagePool } from '../../../../src/source/ftrace/page-pool.ts';

test('a page is used again, and a part of a page is not', () => {
  const pool = createPagePool(4096);
  const page = pool.take();
  expect(page).toHaveLength(4096);
  pool.release(page.subarray(0, 100));
  const other = pool.take();
  expect(other).not.toBe(page);
  expect(other).toHaveLength(4096);
  pool.release(page);
  expect(pool.take()).toBe(page);
});
