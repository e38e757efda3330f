/** Writes batches to the storage, and leaves a disk that refuses them alone for a while. */
import { isSystemError } from '../../shared/errors.ts';
import type { Place, Storage } from './disk/storage.ts';
import type { LogEntry } from './log.ts';

/** Writes batches to the storage, one at a time. */
export interface DiskWriter {
  /** What the disk said when it refused the last batch; null when it took it. */
  readonly problem: string | null;
  /** Writes a batch; null while the disk takes none. */
  write(entry: LogEntry): Place | null;
}

export interface DiskWriterOptions {
  readonly storage: Storage;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  /** Makes room on a full disk; false when there is nothing to give up. */
  readonly makeRoom: () => boolean;
  readonly onFault: (error: NodeJS.ErrnoException) => void;
  /** The disk takes batches again. */
  readonly onRecovered: () => void;
}

/** Until the disk is asked again after a fault. */
const RETRY_MS = 1_000;
const DISK_IS_FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

/** A writer that asks a disk again 1 s after a fault, and at once on a full disk while `makeRoom` finds room. */
export function createDiskWriter(options: DiskWriterOptions): DiskWriter {
  const { storage, now, makeRoom } = options;
  let retryAt = Number.NEGATIVE_INFINITY;
  let problem: string | null = null;
  return {
    get problem() {
      return problem;
    },
    write({ start, batch, mark }) {
      if (now() < retryAt) return null;
      const { count: events, oldestMs, bytes: payload } = batch;
      for (;;) {
        try {
          const place = storage.append({ ordinal: start, events, oldestMs, mark, payload });
          if (problem !== null) options.onRecovered();
          problem = null;
          return place;
        } catch (error) {
          if (!isSystemError(error)) throw error;
          if (DISK_IS_FULL.has(error.code ?? '') && makeRoom()) continue;
          problem = error.message;
          retryAt = now() + RETRY_MS;
          options.onFault(error);
          return null;
        }
      }
    },
  };
}
