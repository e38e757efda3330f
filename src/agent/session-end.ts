/** How a session of the agent ends: with a value, or with a failure that has an exit code. */
import type { Refusal, Result } from '../shared/result.ts';

/** Why a session could not do its work; `src/cli/exit.ts` has the exit code of each reason. */
export type FailureReason =
  /** Something necessary is missing: kernel events, a topic, the directory of the spool. */
  | 'unavailable'
  | 'not_permitted'
  | 'misconfigured'
  /** A recording or a part of the spool cannot be read. */
  | 'damaged'
  /** Output cannot be written. */
  | 'io'
  /** Events are left in the spool. */
  | 'left';

export type SessionEnd<Value = void> = Result<Value, { reason: FailureReason }>;

/** `problem` is one line that says what to do. */
export function failure(reason: FailureReason, problem: string): SessionEnd<never> {
  return { ok: false, reason, problem };
}

/** The end of a session whose source could not be opened. */
export function sourceFailure({ permission, problem }: Refusal<{ permission?: boolean }>): SessionEnd<never> {
  return failure(permission === true ? 'not_permitted' : 'unavailable', problem);
}
