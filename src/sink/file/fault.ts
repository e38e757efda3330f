/** What to do about a fault of the event file. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { ownName } from '../../setting/account.ts';

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; free space or lower the size and number of rotated files',
  EDQUOT: 'the disk quota is used up; raise it or lower the size and number of rotated files',
  ENOENT: 'its directory does not exist; create it for the user of the agent',
  EPERM: 'not permitted; let the user of the agent write to the file and its directory',
  EROFS: 'the file system is read-only; choose another path or mount it writable',
  EISDIR: 'it is a directory; name a file',
  EBUSY: 'it is a mount point, which cannot be rotated; mount its directory instead',
  ELOOP: 'its symbolic links lead in a circle; name a file',
  EIO: "the disk reports an input/output error; see the kernel's log",
};

/** The fault of a path that leads to something else than a plain file, in the form of an error of the system. */
export function notPlain(what: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`it is ${what}; name a file, or use sink.stdout`), { syscall: 'open' });
}

/** One line that says what to do about a fault of the event file. */
export function explainFileFault(path: string, error: NodeJS.ErrnoException): string {
  const advice = error.code === 'EACCES' ? ownerAdvice(path) : ADVICE[error.code ?? ''];
  return `cannot write events to ${path}: ${advice ?? error.message}`;
}

/** Rotation needs the directory too, so both must belong to the user of the agent. */
function ownerAdvice(path: string): string {
  const user = ownName();
  const files = existsSync(path) ? `${dirname(path)} ${path}` : dirname(path);
  return `user ${user} may not; as root: chown ${user} ${files}`;
}
