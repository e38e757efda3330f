/** The Java programs of the tests: where their jars are, how they start and end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DEADLINE_MS } from '../wait.ts';

/** The jars that scripts/install-test-dependencies.sh has copied for test/support/NAME/pom.xml. */
export function librariesOf(name: 'kafka' | 'kafka-2.8' | 'kafka-1.1'): string {
  return join(import.meta.dirname, '../../../.cache', name, 'libs');
}

/** A test's program lives for seconds: the quick compiler and the small collector start it in half the time. */
export function javaOptions(libraries: string, heapMiB: number): string[] {
  return [`-Xmx${heapMiB}m`, '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', `${libraries}/*`];
}

export interface JavaProgram {
  /** For errors. */
  readonly name: string;
  /** What comes before `java`, such as entering a namespace. */
  readonly prefix?: readonly string[];
  readonly args: readonly string[];
  /** What it prints goes there. */
  readonly logFile: string;
  /** A part of what it prints when it serves. */
  readonly up: string;
}

/** Starts it, and resolves when it serves. */
export async function startJava({
  name,
  prefix = [],
  args,
  logFile,
  up,
}: JavaProgram): Promise<ChildProcess> {
  const log = openSync(logFile, 'w');
  // setpriv: a test that crashes takes its programs with it.
  const [command = '', ...rest] = [...prefix, 'setpriv', '--pdeathsig', 'KILL', 'java', ...args];
  const started = spawn(command, rest, { stdio: ['ignore', log, log] });
  closeSync(log);
  const failed = (what: string) => {
    started.kill('SIGKILL');
    const tail = readFileSync(logFile, 'utf8').split('\n').slice(-15).join('\n');
    return new Error(`${name}: ${what}\n${tail}`);
  };
  const deadline = performance.now() + DEADLINE_MS;
  while (!readFileSync(logFile, 'utf8').includes(up)) {
    if (started.exitCode !== null || started.signalCode !== null) throw failed('ended while starting');
    if (performance.now() > deadline) throw failed(`not up within ${DEADLINE_MS} ms`);
    await delay(50);
  }
  return started;
}

/** After SIGTERM; what hangs is killed. */
const STOP_DEADLINE_MS = 60_000;

/** Ends it, and resolves when it is gone. */
export async function endJava(running: ChildProcess | null, signal: NodeJS.Signals): Promise<void> {
  if (running === null || running.exitCode !== null || running.signalCode !== null) return;
  const gone = once(running, 'exit');
  running.kill(signal);
  // SIGTERM waits for SIGCONT in a process that is stopped.
  if (signal !== 'SIGKILL') running.kill('SIGCONT');
  const lastResort = setTimeout(() => running.kill('SIGKILL'), STOP_DEADLINE_MS);
  await gone;
  clearTimeout(lastResort);
}
