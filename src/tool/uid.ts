/** The user of a process. */
import { tryReadFile } from '../shared/try-read.ts';
import { parseStatusNumber } from '../source/host/proc-thread.ts';
import type { Task } from '../source/host/tasks.ts';

/** How long an answer holds: a process may change its user. */
const FRESH_MS = 5_000;

function readUid({ pid }: Task): number | null {
  const status = tryReadFile(`/proc/${pid}/status`);
  return status === null ? null : parseStatusNumber(status, 'Uid');
}

/**
 * Looks up the real user of a process, also for a while after it has ended; null where it has ended before the first
 * lookup.
 */
export function createUidLookup(): (task: Task) => number | null {
  // By task, because a process id is used again.
  const known = new WeakMap<Task, { readonly uid: number; readonly readAt: number }>();
  return (task) => {
    const found = known.get(task);
    const now = Date.now();
    if (found !== undefined && now - found.readAt < FRESH_MS) return found.uid;
    const uid = readUid(task);
    if (uid === null) return found?.uid ?? null;
    known.set(task, { uid, readAt: now });
    return uid;
  };
}
