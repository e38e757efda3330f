/** The spool's directory: segment files that are written at their end, sealed, read, and removed whole. */
import { type Result, success } from '../../../shared/result.ts';
import { ignoreFault, type SpoolFiles } from './files.ts';
import { encodeFrameHeader, FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES, type SpoolMark } from './frame.ts';
import { beginSegment, type OpenSegment, openPath, renameSealed, writeWhole } from './segment-writer.ts';
import { findSegments, type Segment } from './segments.ts';
import { createSyncer } from './sync.ts';

/** A batch as it is written; `oldestMs` and `mark` as in the header of a frame. */
export interface StoredFrame {
  readonly ordinal: number;
  readonly events: number;
  readonly oldestMs: number;
  readonly mark: SpoolMark | null;
  readonly payload: Buffer;
}

/** The place of a frame in the files: the offset of its first byte, and the offset behind its last one. */
export interface Place {
  readonly segment: Segment;
  readonly at: number;
  readonly next: number;
}

/** The segment files of an open spool. */
export interface Storage {
  /** By rising ordinal; the last one may be the one that is written. */
  readonly segments: readonly Segment[];
  /** Size of all files. */
  readonly bytes: number;
  /**
   * Writes a frame behind the last one, and forces it to the disk where the options ask for that. Throws the error of
   * the system; then nothing of the frame is there.
   */
  append(frame: StoredFrame): Place;
  /** Resolves when all that was appended is on the disk, or with the error that prevents it. */
  sync(): Promise<NodeJS.ErrnoException | null>;
  /** Ends the file that is written: the next frame begins another one. */
  seal(): void;
  /** Removes a segment, whether or not its file is still there. */
  remove(segment: Segment): void;
  close(): Promise<void>;
}

export interface StorageOptions {
  /** A file that has reached this size is sealed before the next frame. */
  readonly segmentBytes: number;
  /** Every frame is on the disk before `append` returns. */
  readonly syncAlways: boolean;
  readonly files: SpoolFiles;
}

export interface OpenedStorage {
  readonly storage: Storage;
  /** The mark of the last frame; null where it has none. */
  readonly mark: SpoolMark | null;
}

/**
 * Opens the directory, however the last run ended: a torn tail is cut off, and what is whole is sealed. Reads the names
 * of all files and the content of the unsealed ones only, so that the cost does not depend on what the spool holds.
 * Refuses another version of the format. Throws the error of the system.
 */
export function openStorage(
  directory: string,
  { segmentBytes, syncAlways, files }: StorageOptions,
): Result<OpenedStorage> {
  const found = findSegments(directory, files);
  if (!found.ok) return found;
  const { segments, mark } = found.value;
  const syncer = createSyncer(directory, segments, files);
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  let active: OpenSegment | null = null;
  let bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);

  function begin(first: number): OpenSegment {
    // A file that could be neither renamed nor removed while the file system was read-only: it holds marks, no event.
    const leftover = segments.find(({ path }) => path === openPath(directory, first));
    if (leftover !== undefined) remove(leftover);
    const begun = beginSegment(directory, first, files);
    segments.push(begun.segment);
    bytes += begun.segment.bytes;
    syncer.noteNames();
    return begun;
  }

  function seal(): void {
    if (active === null) return;
    const { segment, descriptor } = active;
    active = null;
    segment.isSealed = true;
    files.closeSync(descriptor);
    if (segment.end === segment.first && segment.bytes === SEGMENT_HEADER_BYTES) return remove(segment);
    renameSealed(directory, segment, files);
    syncer.noteNames();
  }

  function remove(segment: Segment): void {
    if (active?.segment === segment) seal();
    const index = segments.indexOf(segment);
    if (index < 0) return;
    segments.splice(index, 1);
    bytes -= segment.bytes;
    syncer.noteRemoved(segment);
    // Its events are settled or given up. If the file cannot be removed, the next start sends them again at worst.
    ignoreFault(() => files.unlinkSync(segment.path));
  }

  function append({ payload, ...frame }: StoredFrame): Place {
    const isFull = active !== null && active.segment.bytes >= segmentBytes;
    if (isFull || active?.segment.end !== frame.ordinal) seal();
    active ??= begin(frame.ordinal);
    const { segment, descriptor } = active;
    encodeFrameHeader(header, frame, payload);
    const at = segment.bytes;
    try {
      writeWhole(files, descriptor, [header, payload], at);
      if (syncAlways) syncer.syncNow(descriptor);
    } catch (error) {
      // If this fails too, the torn bytes lie behind the end that the name of the sealed file says.
      ignoreFault(() => files.ftruncateSync(descriptor, at));
      seal();
      throw error;
    }
    segment.bytes += FRAME_HEADER_BYTES + payload.length;
    segment.end += frame.events;
    bytes += FRAME_HEADER_BYTES + payload.length;
    if (!syncAlways) syncer.noteWritten(segment);
    return { segment, at, next: segment.bytes };
  }

  const storage: Storage = {
    segments,
    get bytes() {
      return bytes;
    },
    append,
    sync: syncer.sync,
    seal,
    remove,
    async close() {
      seal();
      await syncer.sync();
    },
  };
  return success({ storage, mark });
}
