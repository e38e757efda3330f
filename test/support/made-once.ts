/** What several test files need is made once in a run of the tests, by the file that needs it first. */
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasErrorCode } from '../../src/shared/errors.ts';

const VARIABLE = 'TEST_RUN_DIRECTORY';

/** For vitest's `globalSetup`, which is called for each project: what is made in this run is there until its end. */
export default function openRun(): () => void {
  if (process.env[VARIABLE] !== undefined) return () => {};
  const directory = mkdtempSync(join(tmpdir(), 'ktc-run-'));
  // The workers have the environment of this process.
  process.env[VARIABLE] = directory;
  return () => rmSync(directory, { recursive: true, force: true });
}

/** Outside of vitest, as in bench/, a process is a run of its own. */
function directoryOfRun(): string {
  if (process.env[VARIABLE] === undefined) process.once('exit', openRun());
  return process.env[VARIABLE] ?? '';
}

/** The directory that `make` has filled under this name; nobody changes what is in it. */
export function madeOnce(name: string, make: (directory: string) => void): string {
  const made = join(directoryOfRun(), name);
  if (existsSync(made)) return made;
  // Another file may make the same meanwhile; the first to be ready is taken.
  const directory = mkdtempSync(join(directoryOfRun(), 'making-'));
  make(directory);
  try {
    renameSync(directory, made);
  } catch (error) {
    if (!hasErrorCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    rmSync(directory, { recursive: true });
  }
  return made;
}
