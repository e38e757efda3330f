/** Whether an answer is the true one. */
import { expect } from 'vitest';
import type { Row } from '../../support/chdb/http.ts';
import { firstDifference } from './difference.ts';
import type { Answer } from './facts.ts';

/** The same rows in the same order; columns that the truth does not name may have any value. */
export function expectSame(found: readonly Row[], expected: Answer): void {
  const { is, wanted } = firstDifference(found, expected) ?? {};
  expect(is).toEqual(wanted);
}
