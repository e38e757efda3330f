/** Where an answer is not the true one. */
import { isDeepStrictEqual } from 'node:util';
import type { Row } from '../../support/chdb/http.ts';
import type { Answer } from './facts.ts';

/** What was rounded in SQL may differ in its last digit. */
const TOLERANCE = 0.051;

function isSame(found: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'number') return isDeepStrictEqual(found, wanted);
  // JSON has no infinity.
  if (!Number.isFinite(wanted)) return found === null;
  return typeof found === 'number' && Math.abs(found - wanted) <= TOLERANCE;
}

/** The first difference, as it is and as it should be; null if the rows are the same. Columns that the truth does not name may have any value. */
export function firstDifference(
  found: readonly Row[],
  expected: Answer,
): { readonly is: object; readonly wanted: object } | null {
  if (found.length !== expected.length)
    return { is: { rows: found.length }, wanted: { rows: expected.length } };
  for (const [row, truth] of expected.entries())
    for (const [name, value] of Object.entries(truth)) {
      const other = found[row]?.[name];
      if (!isSame(other, value)) return { is: { row, [name]: other }, wanted: { row, [name]: value } };
    }
  return null;
}
