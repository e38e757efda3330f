/** Files that may not be there, or be gone at any moment, as those of /proc and of the kernel's own file systems. */
import { readFileSync } from 'node:fs';
import { isSystemError } from './errors.ts';

/** What a file holds; null if the system does not give it: it is not there, or this process may not read it. */
export function tryReadFile(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return null;
  }
}

/** The same as text. */
export function tryReadText(path: string): string | null {
  return tryReadFile(path)?.toString('utf8') ?? null;
}
