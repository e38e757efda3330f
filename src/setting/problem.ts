/** Mistakes in the configuration, each with its place. */
import { escapeAsJson, escapeControls } from '../shared/text.ts';

export interface ConfigProblem {
  /** The file, environment variable or flag that set the value; null for a default. */
  readonly origin: string | null;
  /** Dotted path of the key; null when the mistake is not about one key. */
  readonly path: string | null;
  readonly problem: string;
}

/** `/etc/ktc/agent.json: batch.max_events: must be …`, one line without the parts that are null. */
export function formatProblem({ origin, path, problem }: ConfigProblem): string {
  const text = [origin, path, problem].filter((part) => part !== null).join(': ');
  // The name of a key or a file may hold anything.
  return escapeControls(text, escapeAsJson);
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ELOOP: 'too many symbolic links',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is not a directory',
};

/**
 * Why a file cannot be read, in words. Throws the error again when it has no code, because then it is a bug. A code
 * is one of errno(3), or one of Node.js such as `ERR_FS_FILE_TOO_LARGE`.
 */
export function fileProblem(error: unknown): string {
  if (!(error instanceof Error && 'code' in error)) throw error;
  const code = String(error.code);
  return `cannot be read: ${REASONS[code] ?? code}`;
}
