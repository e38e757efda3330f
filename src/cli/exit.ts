/** How commands end: one table of exit codes, and the way a failure is told. */

/** The numbers are those of sysexits.h where it has one. */
export const EXIT = {
  /** Done. */
  ok: 0,
  /** The answer is no: a check failed, the agent is not ready. */
  failed: 1,
  /** Wrong options or arguments. */
  usage: 64,
  /** An input is damaged, such as a recording. */
  data: 65,
  /** Something needed is not there: no agent answers, no kernel events, no such topic. */
  unavailable: 69,
  /** A bug in the agent; the message asks to report it. */
  bug: 70,
  /** Reading or writing failed. */
  io: 74,
  /** Not allowed: not root, a file with another owner. */
  noPermission: 77,
  /** The configuration is wrong; every mistake was printed. */
  configuration: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Prints each line as `ktc: <line>` to standard error and gives the code back, to be returned. */
export function fail(code: Exclude<ExitCode, 0>, ...lines: readonly string[]): ExitCode {
  process.stderr.write(lines.map((line) => `ktc: ${line}\n`).join(''));
  return code;
}
