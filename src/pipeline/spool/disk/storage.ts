/** The spool's directory: segment files that are written at their end, sealed, read, and removed whole. */
import { constants } from 'node:fs';
import { join } from 'node:path';
import { isSystemError } from '../../../shared/errors.ts';
import { FILE_MODE, type SpoolFiles, syncFile } from './files.ts';
import {
  encodeFrameHeader,
  encodeSegmentHeader,
  FRAME_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  type SpoolMark,
} from './frame.ts';
import { findSegments, paddedOrdinal, type Segment, sealedName, withFile } from './segments.ts';

export interface StoredFrame {
  readonly ordinal: number;
  readonly events: number;
  readonly oldestMs: number;
  readonly mark: SpoolMark | null;
  readonly payload: Buffer;
}

/** Where a frame stands. */
export interface Place {
  readonly segment: Segment;
  readonly at: number;
  readonly next: number;
}

export interface Storage {
  /** By rising ordinal; the last one may be the one that is written. */
  readonly segments: readonly Segment[];
  /** Size of all files. */
  readonly bytes: number;
  /**
   * Writes a frame behind the last one, and brings it to the disk where that is asked for. Throws the fault of the
   * system; then nothing of the frame is there.
   */
  append(frame: StoredFrame): Place;
  /** Resolves when all that was appended is on the disk, or with the fault that is in the way. */
  sync(): Promise<NodeJS.ErrnoException | null>;
  /** Ends the file that is written: the next frame begins another one. */
  seal(): void;
  /** Removes a segment, whether or not its file is still there. */
  remove(segment: Segment): void;
  close(): Promise<void>;
}

export interface StorageOptions {
  /** A file that is larger is ended. */
  readonly segmentBytes: number;
  /** Every frame is on the disk before `append` returns. */
  readonly syncAlways: boolean;
  readonly files: SpoolFiles;
}

export type OpenedStorage =
  | { readonly ok: true; readonly storage: Storage; readonly mark: SpoolMark | null }
  | { readonly ok: false; readonly problem: string };

/**
 * Opens the directory after whatever end it came to: a torn tail is cut off, what is whole is sealed. Reads the names
 * of all files and the content of the unsealed ones only, so that it costs the same whatever the spool holds.
 * Throws the fault of the system.
 */
export function openStorage(
  directory: string,
  { segmentBytes, syncAlways, files }: StorageOptions,
): OpenedStorage {
  const found = findSegments(directory, files);
  if (!found.ok) return found;
  const { segments, mark } = found;
  let active: { readonly segment: Segment; readonly descriptor: number } | null = null;
  /** Not all on the disk, as far as is known: an earlier run may have ended before it brought its own there. */
  const unsynced = new Set<Segment>(segments);
  let directoryIsDirty = segments.length > 0;
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  let bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);

  function begin(first: number): { readonly segment: Segment; readonly descriptor: number } {
    const path = join(directory, `${paddedOrdinal(first)}.open`);
    // One that could be neither renamed nor removed while the file system was read-only: it holds marks and no event.
    const leftover = segments.find((segment) => segment.path === path);
    if (leftover !== undefined) remove(leftover);
    const { O_CREAT, O_TRUNC, O_RDWR } = constants;
    const descriptor = files.openSync(path, O_RDWR | O_CREAT | O_TRUNC, FILE_MODE);
    try {
      writeWhole(files, descriptor, [encodeSegmentHeader()], 0);
    } catch (error) {
      files.closeSync(descriptor);
      forgetFault(() => files.unlinkSync(path));
      throw error;
    }
    const segment = { first, end: first, bytes: SEGMENT_HEADER_BYTES, path, isSealed: false };
    segments.push(segment);
    bytes += segment.bytes;
    directoryIsDirty = true;
    return { segment, descriptor };
  }

  function seal(): void {
    if (active === null) return;
    const { segment, descriptor } = active;
    active = null;
    segment.isSealed = true;
    files.closeSync(descriptor);
    if (segment.end === segment.first && segment.bytes === SEGMENT_HEADER_BYTES) return remove(segment);
    const path = join(directory, sealedName(segment));
    // A directory that has gone takes the file with it; who reads it next finds that out, and counts. Where the file
    // system is read-only it keeps its name, and the next start reads it through.
    forgetFault(() => {
      files.renameSync(segment.path, path);
      segment.path = path;
    });
    directoryIsDirty = true;
  }

  function remove(segment: Segment): void {
    if (active?.segment === segment) seal();
    const index = segments.indexOf(segment);
    if (index < 0) return;
    segments.splice(index, 1);
    unsynced.delete(segment);
    bytes -= segment.bytes;
    directoryIsDirty = true;
    // One that stays is settled or given up all the same: at worst the next start sends it again.
    forgetFault(() => files.unlinkSync(segment.path));
  }

  function syncNow(descriptor: number): void {
    files.fdatasyncSync(descriptor);
    if (!directoryIsDirty) return;
    withFile(files, directory, constants.O_RDONLY, files.fsyncSync);
    directoryIsDirty = false;
  }

  async function sync(): Promise<NodeJS.ErrnoException | null> {
    let fault: NodeJS.ErrnoException | null = null;
    for (const segment of [...unsynced]) {
      // It may have been removed meanwhile; and what is written from now on is for the next time.
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
    ok: true,
    mark,
    storage: {
      segments,
      get bytes() {
        return bytes;
      },
      append({ payload, ...frame }) {
        if (active !== null) {
          const { segment } = active;
          if (segment.bytes >= segmentBytes || segment.end !== frame.ordinal) seal();
        }
        active ??= begin(frame.ordinal);
        const { segment, descriptor } = active;
        encodeFrameHeader(header, frame, payload);
        const at = segment.bytes;
        try {
          writeWhole(files, descriptor, [header, payload], at);
          if (syncAlways) syncNow(descriptor);
        } catch (error) {
          // Should this fail too, what is torn lies behind the end that the name of the sealed file tells.
          forgetFault(() => files.ftruncateSync(descriptor, at));
          seal();
          throw error;
        }
        segment.bytes += FRAME_HEADER_BYTES + payload.length;
        segment.end += frame.events;
        bytes += FRAME_HEADER_BYTES + payload.length;
        if (!syncAlways) unsynced.add(segment);
        return { segment, at, next: segment.bytes };
      },
      sync,
      seal,
      remove,
      async close() {
        seal();
        await sync();
      },
    },
  };
}

/** What a full disk takes of it is a fault too. */
function writeWhole(files: SpoolFiles, descriptor: number, parts: Buffer[], at: number): void {
  const wanted = parts.reduce((sum, part) => sum + part.length, 0);
  let written = files.writevSync(descriptor, parts, at);
  if (written === wanted) return;
  const whole = Buffer.concat(parts);
  while (written < wanted) {
    const count = files.writeSync(descriptor, whole, written, wanted - written, at + written);
    written += count;
  }
}

/** Brings what is at a path to the disk, of a directory the names: a file that is on the disk under no name is lost. */
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

function forgetFault(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}
