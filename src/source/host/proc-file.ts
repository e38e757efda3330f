/** Files of /proc, each of which may be gone at any moment. */
import { readFileSync } from 'node:fs';
import { isSystemError } from '../../shared/errors.ts';

/** What a file of /proc holds; null if its process has ended, or may not be seen. */
export function readProcFile(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return null;
  }
}
