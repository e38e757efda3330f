/** One owner of a directory at a time, decided by the kernel for every process of the host. */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { isSystemError } from './errors.ts';
import { type Result, refusal, success } from './result.ts';

export interface DirectoryLock {
  /** Safe to call twice. */
  release(): void;
}

/** Why a directory is not locked: another process holds it, it was removed meanwhile, or nobody can tell. */
export type LockFault = 'held' | 'gone' | 'unknown';

/** A Ctrl-C in the terminal also reaches the program that locks, which is then started again. */
const MAX_ATTEMPTS = 5;
/** As stdio of the program. */
const SHARED_FD = 3;

/**
 * Locks a directory with flock(2). The lock belongs to the inode, so processes in other mount, pid and network namespaces
 * see it too. It ends with this process, however that ends, and leaves no file behind.
 *
 * Node.js has no call for flock(2). But a lock belongs to the open file description, not to the process that asked for
 * it: flock(1), of util-linux or busybox, inherits the descriptor, locks it and ends, and the lock stays here.
 */
export function lockDirectory(path: string): Result<DirectoryLock, { fault: LockFault }> {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return { ...refusal(error.message), fault: error.code === 'ENOENT' ? 'gone' : 'unknown' };
  }
  const refused = lock(fd) ?? (isStillAt(fd, path) ? null : { ...refusal('it was removed'), fault: 'gone' });
  if (refused !== null) {
    closeSync(fd);
    return refused;
  }
  let isOpen = true;
  return success({
    release() {
      if (isOpen) closeSync(fd);
      isOpen = false;
    },
  });
}

type Refused = Extract<ReturnType<typeof lockDirectory>, { ok: false }>;

/** Null when it is locked. */
function lock(fd: number, attempt = 1): Refused | null {
  const stdio = ['ignore', 'ignore', 'pipe', fd] as const;
  const { error, status, signal, stderr } = spawnSync('flock', ['-n', String(SHARED_FD)], {
    stdio: [...stdio],
    encoding: 'utf8',
  });
  if (error !== undefined) {
    return { ...refusal(`flock(1) does not run (${error.message}): install util-linux`), fault: 'unknown' };
  }
  if (status === 0) return null;
  if (signal !== null && attempt < MAX_ATTEMPTS) return lock(fd, attempt + 1);
  const said = stderr.trim();
  if (status === 1 && said === '') return { ...refusal('another process holds it'), fault: 'held' };
  return { ...refusal(said || `flock(1) was ended by ${signal ?? `exit code ${status}`}`), fault: 'unknown' };
}

/** False if another process has removed the directory, and perhaps made another one, before it was locked here. */
function isStillAt(fd: number, path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  const { dev, ino } = fstatSync(fd);
  return found !== undefined && found.dev === dev && found.ino === ino;
}
