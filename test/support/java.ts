/** The Java programs of the tests: where their jars are, how they start. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasEnded } from './children.ts';
import { endProgram, startProgram } from './program.ts';
import { until } from './wait.ts';

/** Each is a folder of test/support with a pom.xml. */
export type LibraryName = 'kafka' | 'kafka-2.8' | 'kafka-1.1' | 'opensearch';

/** The jars that scripts/install-test-dependencies.sh has copied for test/support/NAME/pom.xml. */
export function librariesOf(name: LibraryName): string {
  return join(import.meta.dirname, '../../.cache', name, 'libs');
}

/** Why there are no jars of that name here, in one line; null when there are. */
export function whyNoJars(name: LibraryName): string | null {
  const libraries = librariesOf(name);
  return existsSync(libraries) ? null : `no jars in ${libraries}: run scripts/install-test-dependencies.sh`;
}

/** A test's program lives for seconds: the quick compiler and the small collector start it in half the time. */
export function javaOptions(libraries: string, heapMiB: number): string[] {
  return [`-Xmx${heapMiB}m`, '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', `${libraries}/*`];
}

/** A file of settings as java.util.Properties reads it, for values without special characters. */
export function writeProperties(file: string, properties: Readonly<Record<string, string>>): void {
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(file, lines.join(''));
}

export interface JavaProgram {
  /** For errors. */
  readonly name: string;
  /** What comes before `java`, such as entering a namespace. */
  readonly prefix?: readonly string[];
  readonly args: readonly string[];
  /** What it prints goes there. */
  readonly logFile: string;
  /** Whether it serves, which what it has printed so far may tell. */
  isUp(printed: string): boolean | Promise<boolean>;
}

export interface RunningJava {
  readonly child: ChildProcess;
  /** Resolves when it serves; rejects with its last lines when it does not come to that, and is gone then. */
  readonly up: Promise<void>;
}

/** Starts it: whoever does not await `up` to the end has to end the child too. */
export function startJava({ name, prefix = [], args, logFile, isUp }: JavaProgram): RunningJava {
  // What an earlier run has printed says nothing of this one.
  rmSync(logFile, { force: true });
  const child = startProgram({ words: ['java', ...args], prefix, logFile });
  const printed = () => readFileSync(logFile, 'utf8');

  const waitUntilUp = async () => {
    try {
      await until(async () => {
        if (await isUp(printed())) return true;
        if (hasEnded(child)) throw new Error('ended while starting');
        return false;
      }, 'its start');
    } catch (error) {
      await endProgram(child, 'SIGKILL');
      const last = printed().split('\n').slice(-15).join('\n');
      throw new Error(`${name}: ${(error as Error).message}\n${last}`, { cause: error });
    }
  };
  return { child, up: waitUntilUp() };
}
