/** Faults of the configuration, told so that the operator finds the place. */

export interface ConfigProblem {
  /** File, environment variable or flag that brought the value; null for a default. */
  readonly origin: string | null;
  /** Dotted path of the key, null when the fault is not about one. */
  readonly path: string | null;
  readonly problem: string;
}

/** `/etc/ktc/agent.json: batch.max_events: must be …`, one line, without the parts that are not known. */
export function formatProblem({ origin, path, problem }: ConfigProblem): string {
  const text = [origin, path, problem].filter((part) => part !== null).join(': ');
  // The name of a key or a file may hold anything.
  return text.replace(/\p{Cc}/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ELOOP: 'too many symbolic links',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is not a directory',
};

/** The reason of a failed file operation in words. Anything but a system error is a bug and thrown again. */
export function fileProblem(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return `cannot be read: ${REASONS[code] ?? code}`;
}
