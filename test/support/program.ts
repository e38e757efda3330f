/** Programs that a test runs beside it: a broker, an engine, a receiver. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { hasEnded } from './children.ts';

/** `words` begin with the program; `prefix` comes before all, such as entering a namespace. */
export interface Program extends Pick<SpawnOptions, 'cwd' | 'env'> {
  readonly words: readonly string[];
  readonly prefix?: readonly string[];
  /** What it prints is appended to it. */
  readonly logFile: string;
}

/** Starts it. A test that crashes takes its programs with it. */
export function startProgram({ words, prefix = [], logFile, ...options }: Program): ChildProcess {
  const log = openSync(logFile, 'a');
  const [command = '', ...rest] = [...prefix, 'setpriv', '--pdeathsig', 'KILL', ...words];
  const child = spawn(command, rest, { ...options, stdio: ['ignore', log, log] });
  closeSync(log);
  return child;
}

/** After SIGTERM; what hangs is killed. */
const STOP_DEADLINE_MS = 60_000;

/** Ends it, also one that is stopped, and resolves when it is gone. */
export async function endProgram(running: ChildProcess | null, signal: NodeJS.Signals): Promise<void> {
  if (running === null || hasEnded(running)) return;
  const gone = once(running, 'exit');
  running.kill(signal);
  // SIGTERM waits for SIGCONT in a process that is stopped.
  if (signal !== 'SIGKILL') running.kill('SIGCONT');
  const lastResort = setTimeout(() => running.kill('SIGKILL'), STOP_DEADLINE_MS);
  await gone;
  clearTimeout(lastResort);
}
