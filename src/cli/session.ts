/** What the commands that run the agent share: the end of a session as an exit code. */
import { runSession, type SessionOptions } from '../agent/run-session.ts';
import type { ConfigResult } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import { EXIT, fail } from './exit.ts';
import { VERSION } from './version.ts';

/** Runs the agent and gives the exit code; every problem has been printed. */
export async function runAgent(
  result: ConfigResult,
  options: Pick<SessionOptions, 'reread' | 'stop'>,
  hint = '',
): Promise<number> {
  if (!result.ok) return fail(EXIT.configuration, ...result.problems.map(formatProblem));
  const end = await runSession({ loaded: result, version: VERSION, ...options });
  switch (end.kind) {
    case 'done':
      return EXIT.ok;
    case 'not_permitted':
      return fail(EXIT.noPermission, end.problem, ...(hint === '' ? [] : [hint]));
    case 'misconfigured':
      return fail(EXIT.configuration, end.problem);
    case 'damaged':
      return fail(EXIT.data, end.problem);
    case 'unavailable':
      return fail(EXIT.unavailable, end.problem, ...(hint === '' ? [] : [hint]));
  }
}
