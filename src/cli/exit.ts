/** How commands end: the list of all exit codes, and the one way to report a failure. */
import type { FailureReason, SessionEnd } from '../agent/session-end.ts';

/**
 * The numbers are those of sysexits.h where it has one. A tool that a second signal ends has 128 + the signal's
 * number.
 */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 64,
  data: 65,
  unavailable: 69,
  bug: 70,
  io: 74,
  noPermission: 77,
  configuration: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  0: 'Done.',
  1: 'The answer is no: a check failed, the agent is not ready, events are left in the spool.',
  64: 'Wrong options or arguments.',
  65: 'An input is damaged, such as a recording.',
  69: 'Something necessary is missing: no agent answers, no kernel events, no such topic.',
  70: 'A bug; the message asks to report it.',
  74: 'Reading or writing failed.',
  77: 'Not permitted: not root, or a file of another owner.',
  78: 'The configuration is wrong; every mistake was printed.',
};

const FAILURES: Readonly<Record<FailureReason, Exclude<ExitCode, 0>>> = {
  unavailable: EXIT.unavailable,
  not_permitted: EXIT.noPermission,
  misconfigured: EXIT.configuration,
  damaged: EXIT.data,
  io: EXIT.io,
  left: EXIT.failed,
};

/** Prints a line as `ktc: <line>` to standard error. */
export function say(line: string): void {
  process.stderr.write(`ktc: ${line}\n`);
}

/** Prints each line as `say` does and returns the code. */
export function fail(code: Exclude<ExitCode, 0>, ...lines: readonly string[]): ExitCode {
  for (const line of lines) say(line);
  return code;
}

/**
 * The exit code of a session; prints its problem where it failed.
 *
 * @param hints further lines for a failure of these reasons
 */
export function exitCodeOf(
  end: SessionEnd<unknown>,
  hints: Readonly<Partial<Record<FailureReason, string>>> = {},
): ExitCode {
  if (end.ok) return EXIT.ok;
  const hint = hints[end.reason];
  return fail(FAILURES[end.reason], end.problem, ...(hint === undefined ? [] : [hint]));
}

/** Prints text to standard output; the command is done. */
export function print(text: string): ExitCode {
  process.stdout.write(text);
  return EXIT.ok;
}
