/** A real OpenTelemetry Collector with a configuration of its own, as an ordinary process. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasEnded } from './children.ts';
import { endProgram, startProgram } from './program.ts';
import { suspend } from './suspend.ts';

const COLLECTOR = join(import.meta.dirname, '../../.cache/collector/collector');

/** Why no collector can be run here, in one line; null when one can. */
export function whyNoCollector(): string | null {
  return existsSync(COLLECTOR) ? null : `${COLLECTOR} is not built: run scripts/install-test-dependencies.sh`;
}

export interface CollectorProcess {
  /** For files of the collector, until `remove`. */
  readonly directory: string;
  start(): void;
  /** Throws with what it said if it has ended by itself. */
  check(): void;
  /** Sends the signal, also to one that is paused; resolves when it is gone. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. Resolves when every thread has stopped. */
  pause(): Promise<void>;
  /** SIGCONT. */
  resume(): void;
  readonly isRunning: boolean;
  /** What it has said so far. */
  log(): string;
  /** Stops it and removes its files. */
  remove(): Promise<void>;
}

/** `configuration` gets the directory that is made for the collector, and gives YAML; JSON is YAML as well. */
export function createCollectorProcess(configuration: (directory: string) => string): CollectorProcess {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-collector-'));
  const file = join(directory, 'config.yaml');
  const logFile = join(directory, 'collector.log');
  writeFileSync(file, configuration(directory));
  let child: ChildProcess | null = null;

  const log = () => readFileSync(logFile, 'utf8');

  const end = async (signal: NodeJS.Signals) => {
    const running = child;
    child = null;
    await endProgram(running, signal);
  };

  return {
    directory,
    start() {
      child = startProgram({ words: [COLLECTOR, '--config', file], logFile });
    },
    check() {
      if (child !== null && hasEnded(child)) {
        throw new Error(`the collector ended:\n${log()}`);
      }
    },
    end,
    async pause() {
      if (child?.pid === undefined) throw new Error('a collector that does not run cannot be paused');
      await suspend(child.pid);
    },
    resume: () => void child?.kill('SIGCONT'),
    get isRunning() {
      return child !== null;
    },
    log,
    async remove() {
      await end('SIGTERM');
      rmSync(directory, { recursive: true });
    },
  };
}
