/** What the spool does when it is full: block, drop the oldest events, or drop the newest. */
import type { Storage } from './disk/storage.ts';
import type { Entries } from './entries.ts';
import type { SpoolReader } from './reader.ts';

/** What to do with more than `maxBytes`. */
export type FullPolicy = 'block' | 'drop_oldest' | 'drop_newest';

/** Sizes in bytes, and what to do beyond them. */
export interface SpoolLimits {
  /** Of batches in memory: those that are not on disk, and all of them without a storage. */
  readonly memoryBytes: number;
  /** Of the files. */
  readonly maxBytes: number;
  readonly whenFull: FullPolicy;
}

/** Decides whether the spool has room for a batch. */
export interface Room {
  /** No room: reading has to wait. */
  readonly isFull: boolean;
  /** Makes room for a batch of this size, where the policy says so. False when the batch must be dropped. */
  makeFor(size: number): boolean;
  /**
   * Makes room by giving up the oldest segment of which nothing is in flight. False when there is none, or when the
   * policy is another one.
   */
  dropOldest(): boolean;
}

export interface RoomOptions {
  readonly storage: Storage | null;
  readonly limits: SpoolLimits;
  readonly entries: Entries;
  readonly readers: readonly SpoolReader[];
  /** Writes what is in memory only to the files, as far as the disk takes it. */
  readonly persist: () => void;
}

/** The room of a spool; without a storage that is its memory. */
export function createRoom({ storage, limits, entries, readers, persist }: RoomOptions): Room {
  const { memoryBytes, maxBytes, whenFull } = limits;

  function dropOldest(): boolean {
    if (storage === null || whenFull !== 'drop_oldest') return false;
    const victim = storage.segments.find((segment) => readers.every((reader) => !reader.isBusyIn(segment)));
    if (victim === undefined) return false;
    for (const reader of readers) reader.drop(victim, 'spool_full');
    storage.remove(victim);
    entries.forgetStoredIn(victim);
    return true;
  }

  return {
    get isFull() {
      if (entries.volatileBytes >= memoryBytes) persist();
      // The other policies make room, or drop the batch that comes.
      if (storage !== null && whenFull !== 'block') return false;
      return entries.volatileBytes >= memoryBytes || (storage !== null && storage.bytes >= maxBytes);
    },
    makeFor(size) {
      if (storage === null || whenFull === 'block') return true;
      if (entries.volatileBytes > 0) persist();
      if (entries.volatileBytes + size > memoryBytes) return false;
      if (whenFull === 'drop_newest') return storage.bytes + size <= maxBytes;
      while (storage.bytes + size > maxBytes && dropOldest());
      return true;
    },
    dropOldest,
  };
}
