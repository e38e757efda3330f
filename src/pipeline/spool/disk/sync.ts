/** Forces the spool's files to the disk, and knows which of them are not there yet (fsync(2)). */
import { constants } from 'node:fs';
import { isSystemError } from '../../../shared/errors.ts';
import { type SpoolFiles, withFile } from './files.ts';
import type { Segment } from './segments.ts';

/** Forces files to the disk, and keeps which of them are not there yet. */
export interface Syncer {
  /** Bytes were written to the segment. */
  noteWritten(segment: Segment): void;
  /** A file of the directory was made or renamed. */
  noteNames(): void;
  /** The file of the segment is removed next. */
  noteRemoved(segment: Segment): void;
  /** Forces this file, and the names of the directory where they changed. Throws the error of the system. */
  syncNow(descriptor: number): void;
  /**
   * Resolves when everything noted is on the disk, or with the last error. What failed is tried again the next time.
   */
  sync(): Promise<NodeJS.ErrnoException | null>;
}

/**
 * `segments` are those of the storage, which adds and removes some. Those that are there at the start count as not
 * forced: an earlier run may have ended before it did that.
 */
export function createSyncer(directory: string, segments: readonly Segment[], files: SpoolFiles): Syncer {
  const unsynced = new Set<Segment>(segments);
  let directoryIsDirty = segments.length > 0;

  async function sync(): Promise<NodeJS.ErrnoException | null> {
    let fault: NodeJS.ErrnoException | null = null;
    for (const segment of [...unsynced]) {
      // It may have been removed meanwhile. What is written from now on is for the next time.
      if (!unsynced.delete(segment)) continue;
      const found = await syncPath(segment.path, files, 'fdatasync');
      if (found !== null && found.code !== 'ENOENT' && segments.includes(segment)) unsynced.add(segment);
      fault = found ?? fault;
    }
    if (directoryIsDirty) {
      directoryIsDirty = false;
      const found = await syncPath(directory, files, 'fsync');
      directoryIsDirty ||= found !== null;
      fault = found ?? fault;
    }
    return fault;
  }

  return {
    noteWritten(segment) {
      unsynced.add(segment);
    },
    noteNames() {
      directoryIsDirty = true;
    },
    noteRemoved(segment) {
      unsynced.delete(segment);
      directoryIsDirty = true;
    },
    syncNow(descriptor) {
      files.fdatasyncSync(descriptor);
      if (!directoryIsDirty) return;
      withFile(files, directory, constants.O_RDONLY, files.fsyncSync);
      directoryIsDirty = false;
    },
    sync,
  };
}

/**
 * Forces what is at a path to the disk: the content of a file, the names of a directory. A file whose name is not on
 * the disk is lost in a crash, whatever was done for its content. Resolves with the error of the system, or null.
 */
export async function syncPath(
  path: string,
  files: SpoolFiles,
  call: 'fdatasync' | 'fsync',
): Promise<NodeJS.ErrnoException | null> {
  try {
    const descriptor = files.openSync(path, constants.O_RDONLY);
    const fault = await syncFile(files, descriptor, call);
    files.closeSync(descriptor);
    return fault;
  } catch (error) {
    if (isSystemError(error)) return error;
    throw error;
  }
}

/** Resolves when what was written to the file is on the disk, or with the error of the system. */
function syncFile(
  files: SpoolFiles,
  descriptor: number,
  call: 'fdatasync' | 'fsync',
): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => files[call](descriptor, resolve));
}
