/** The user of a process. */
import { readFileSync } from 'node:fs';

const CAPACITY = 4096;
/** How long an answer holds: a process id is used again, and a process may change its user. */
const FRESH_MS = 5_000;

function readUid(pid: number): number | null {
  try {
    const uid = /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return uid === undefined ? null : Number(uid);
  } catch {
    return null;
  }
}

/**
 * Looks up the real user of a process, also for a while after it has ended; null where it has ended before the first
 * lookup.
 */
export function createUidLookup(): (pid: number) => number | null {
  const known = new Map<number, { readonly uid: number; readonly readAt: number }>();
  return (pid) => {
    const found = known.get(pid);
    const now = Date.now();
    if (found !== undefined && now - found.readAt < FRESH_MS) return found.uid;
    const uid = readUid(pid);
    if (uid === null) return found?.uid ?? null;
    if (known.size >= CAPACITY) known.clear();
    known.set(pid, { uid, readAt: now });
    return uid;
  };
}
