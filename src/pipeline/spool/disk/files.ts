/** The calls to the operating system that the spool makes; tests put faults in their place. */
import * as fs from 'node:fs';

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

export const systemFiles: SpoolFiles = fs;

/** Modes of what the spool writes: events tell who talks to whom, which is nobody else's business. */
export const FILE_MODE = 0o600;
export const DIRECTORY_MODE = 0o700;

/** Resolves when what was written to the file is on the disk, or with the fault. */
export function syncFile(
  files: SpoolFiles,
  descriptor: number,
  call: 'fdatasync' | 'fsync',
): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => files[call](descriptor, resolve));
}
