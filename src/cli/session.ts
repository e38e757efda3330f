/** What the commands that run the agent have in common. */
import { runSession, type SessionOptions } from '../agent/run-session.ts';
import type { ConfigResult } from '../config/load.ts';
import { type ExitCode, exitCodeOf } from './exit.ts';
import { configurationError } from './options.ts';
import { VERSION } from './version.ts';

/** Runs the agent and gives the exit code; every problem is printed. `hints` as for `exitCodeOf`. */
export async function runAgent(
  config: ConfigResult,
  options: Pick<SessionOptions, 'reread' | 'stop'>,
  hints: Parameters<typeof exitCodeOf>[1] = {},
): Promise<ExitCode> {
  if (!config.ok) return configurationError(config);
  const end = await runSession({ loaded: config.value, version: VERSION, ...options });
  return exitCodeOf(end, hints);
}
