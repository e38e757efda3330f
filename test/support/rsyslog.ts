/** A real rsyslog with a configuration of its own, as an ordinary process. */

import { type ChildProcess, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasEnded } from './children.ts';
import { endProgram, startProgram } from './program.ts';

const MODULES = '/usr/lib/x86_64-linux-gnu/rsyslog';

/** Why no rsyslog with these modules can be run here, in one line; null when one can. */
export function whyNoRsyslog(...modules: readonly string[]): string | null {
  const isThere =
    spawnSync('which', ['rsyslogd']).status === 0 &&
    modules.every((name) => existsSync(join(MODULES, `${name}.so`)));
  return isThere
    ? null
    : 'rsyslog or its modules are not installed: run scripts/install-test-dependencies.sh';
}

export interface Rsyslog {
  /** Starts, again with the same queues. */
  start(): void;
  /** SIGTERM; resolves when it is gone. Throws with what it said if it had ended before. */
  stop(): Promise<void>;
  /** Stops it and removes its files. */
  remove(): Promise<void>;
}

/** `configuration` may name files below `DIRECTORY`, which is made for it. */
export function createRsyslog(configuration: string): Rsyslog {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-rsyslog-'));
  const file = join(directory, 'rsyslog.conf');
  const logFile = join(directory, 'rsyslogd.log');
  writeFileSync(file, configuration.replaceAll('DIRECTORY', directory));
  let child: ChildProcess | null = null;

  const stop = async () => {
    const running = child;
    child = null;
    if (running !== null && hasEnded(running))
      throw new Error(`rsyslog ended:\n${readFileSync(logFile, 'utf8')}`);
    await endProgram(running, 'SIGTERM');
  };

  return {
    start() {
      child = startProgram({ words: ['rsyslogd', '-n', '-f', file, '-i', join(directory, 'pid')], logFile });
    },
    stop,
    async remove() {
      await stop().finally(() => rmSync(directory, { recursive: true, force: true }));
    },
  };
}
