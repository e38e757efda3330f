/** What the spool reports to an operator: problems of its directory and disk, each with a remedy. */
import type { SpoolLimits } from './room.ts';

/** Takes the reports of the spool, each one line for an operator. */
export interface SpoolReporter {
  /** The disk refuses what is written; may be called very often. */
  fault(problem: string): void;
  /** The disk takes events again. */
  recovered(): void;
  /** So many events were damaged on the disk, and are lost. */
  damage(problem: string, events: number): void;
  /** Something unusual was found, and nothing is lost. */
  note(message: string): void;
}

const START_ADVICE: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist; make it: install -d -m 0700 DIRECTORY, owned by the user of the agent',
  ENOTDIR: 'it is no directory; name one',
  EACCES: 'permission denied; let the user of the agent read and write it',
  EPERM: 'not permitted; let the user of the agent read and write it',
  EROFS: 'its file system is read-only; name another directory',
  ENOSPC: 'the disk is full; free space',
};

/** Why the spool cannot use its directory at the start; `code` is that of a system error, such as `ENOENT`. */
export function startProblem(directory: string, code: string): string {
  const advice = (START_ADVICE[code] ?? code).replace('DIRECTORY', directory);
  return `cannot use the spool directory ${directory}: ${advice}, or set spool.enabled to false and lose on a crash what is not delivered`;
}

const FAULT_ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only now',
  ENOENT: 'the directory was removed',
  EIO: "the disk reports an input/output error; see the kernel's log",
  EMFILE: 'too many open files in this process; raise its limit (LimitNOFILE)',
  ENFILE: 'too many open files on this host',
};

const POLICY_WORDS = {
  block: 'then reading pauses',
  drop_oldest: 'then the newest are dropped and counted',
  drop_newest: 'then the newest are dropped and counted',
} as const;

/** Why the disk does not take events, and what becomes of them meanwhile. */
export function explainFault(
  directory: string,
  error: NodeJS.ErrnoException,
  { memoryBytes, whenFull }: SpoolLimits,
): string {
  const what = FAULT_ADVICE[error.code ?? ''] ?? error.message;
  return `cannot write to the spool ${directory}: ${what}; events wait in memory, up to ${memoryBytes} bytes, ${POLICY_WORDS[whenFull]}`;
}
