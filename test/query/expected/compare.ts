/** Whether an answer is the true one. */
import { expect } from 'vitest';
import type { Row } from '../../support/chdb/engine.ts';
import type { Answer } from './facts.ts';

/** What was rounded in SQL may differ in its last digit. */
const TOLERANCE = 0.051;

/** The same rows in the same order; columns that the truth does not name may have any value. */
export function expectSame(found: readonly Row[], expected: Answer): void {
  expect(found.length).toBe(expected.length);
  for (const [index, row] of expected.entries()) {
    for (const [name, value] of Object.entries(row)) {
      const other = found[index]?.[name];
      const isClose =
        typeof value === 'number' && typeof other === 'number' && Math.abs(value - other) <= TOLERANCE;
      // JSON has no infinity.
      const isSame = isClose || (typeof value === 'number' && !Number.isFinite(value) && other === null);
      if (!isSame) expect({ index, [name]: other }).toEqual({ index, [name]: value });
    }
  }
}
