import type { Result } from '../../src/shared/result.ts';

/** The problem of a refusal, for comparison; null for a success. */
export function problemOf(result: Result<unknown>): string | null {
  return result.ok ? null : result.problem;
}
