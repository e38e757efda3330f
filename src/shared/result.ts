/**
 * The result of an operation that can fail although our code is right: a missing file, a broker that does not answer,
 * a wrong setting. A mistake in our own code throws instead.
 */

/** `problem` is one line for the user: what happened, where, and what to do. `Details` are further facts. */
export type Refusal<Details extends object = object> = {
  readonly ok: false;
  readonly problem: string;
} & Readonly<Details>;

/** `Details` are facts about a refusal beside its problem, such as whether it is a matter of permission. */
export type Result<Value = void, Details extends object = object> =
  | { readonly ok: true; readonly value: Value }
  | Refusal<Details>;

/** The result of an operation that succeeded and has no value. */
export const DONE: Result<void, never> = { ok: true, value: undefined };

export function success<Value>(value: Value): { readonly ok: true; readonly value: Value } {
  return { ok: true, value };
}

export function refusal(problem: string): Refusal {
  return { ok: false, problem };
}

/** The result of opening something: a lack of permission has an exit code of its own. */
export type Opened<Value> = Result<Value, { permission?: boolean }>;
