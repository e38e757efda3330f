/** The system calls that the spool makes; tests put faults in their place. */
import * as fs from 'node:fs';
import { isSystemError } from '../../../shared/errors.ts';

/** The functions of node:fs that the spool calls. */
export type SpoolFiles = Pick<
  typeof fs,
  | 'accessSync'
  | 'closeSync'
  | 'fdatasync'
  | 'fdatasyncSync'
  | 'fstatSync'
  | 'fsync'
  | 'fsyncSync'
  | 'ftruncateSync'
  | 'mkdirSync'
  | 'openSync'
  | 'readSync'
  | 'readdirSync'
  | 'readFileSync'
  | 'renameSync'
  | 'statSync'
  | 'unlinkSync'
  | 'writeSync'
  | 'writevSync'
>;

/** The real ones. */
export const systemFiles: SpoolFiles = fs;

/**
 * Modes of what the spool writes: events say which hosts talk to each other, so only the agent's user may read them.
 */
export const FILE_MODE = 0o600;
export const DIRECTORY_MODE = 0o700;

/** Opens a file, or makes it where the flags say so, for the time of `use`. Throws the error of the system. */
export function withFile<Value>(
  files: SpoolFiles,
  path: string,
  flags: number,
  use: (descriptor: number) => Value,
): Value {
  const descriptor = files.openSync(path, flags, FILE_MODE);
  try {
    return use(descriptor);
  } finally {
    files.closeSync(descriptor);
  }
}

/** Does work that the system may refuse, where nothing depends on its success. */
export function ignoreFault(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}
