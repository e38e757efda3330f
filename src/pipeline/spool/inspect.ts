/** What is in a spool's directory. May run beside the agent that uses it: takes no lock and changes nothing. */
import { constants } from 'node:fs';
import { basename } from 'node:path';
import { isSystemError } from '../../shared/errors.ts';
import { listCursors, readCursor } from './disk/cursor.ts';
import { type SpoolFiles, withFile } from './disk/files.ts';
import { SEGMENT_HEADER_BYTES } from './disk/frame.ts';
import { findFrame, scanSegment } from './disk/scan.ts';
import { listSegments, pending, type Segment } from './disk/segments.ts';

/** A segment file. */
export interface SegmentFacts {
  readonly file: string;
  readonly state: 'sealed' | 'open';
  /** Ordinals: from `first` up to, not including, `end`. */
  readonly first: number;
  readonly end: number;
  readonly events: number;
  readonly bytes: number;
  /** Wall clock of the first event, milliseconds since 1970; null where no event can be read. */
  readonly oldestMs: number | null;
}

/** How far a sink has come. */
export interface CursorFacts {
  readonly sink: string;
  /** Every event before it is settled; null where there is no cursor, or a damaged one. */
  readonly ordinal: number | null;
  /** Events that the sink has not settled. */
  readonly waiting: number;
  readonly state: 'found' | 'missing' | 'damaged';
}

/** Segments by rising ordinal, cursors by the name of the sink. */
export interface SpoolFacts {
  readonly segments: readonly SegmentFacts[];
  readonly cursors: readonly CursorFacts[];
}

/**
 * Lists the segments, and the cursors of the sinks that have one and of `sinks`. Reads the events of the open segment
 * only. Throws the error of the system.
 */
export function inspectSpool(directory: string, sinks: readonly string[], files: SpoolFiles): SpoolFacts {
  const segments = listSegments(directory, files).flatMap(
    (listed) =>
      readSegment(directory, listed, files, (descriptor, segment) =>
        segmentFacts(files, descriptor, segment),
      ) ?? [],
  );
  const names = new Set([...listCursors(directory, files), ...sinks]);
  return {
    segments,
    cursors: [...names].sort().map((sink) => {
      const found = readCursor(directory, sink, files);
      const ordinal = found.kind === 'found' ? found.ordinal : null;
      return { sink, ordinal, waiting: pending(segments, ordinal ?? 0), state: found.kind };
    }),
  };
}

/**
 * Opens a segment for the time of `use`, under the name it has by now: an agent may seal or remove it meanwhile. Null
 * when it is gone. Throws the error of the system.
 */
export function readSegment<Value>(
  directory: string,
  segment: Segment,
  files: SpoolFiles,
  use: (descriptor: number, segment: Segment) => Value,
): Value | null {
  try {
    return withFile(files, segment.path, constants.O_RDONLY, (descriptor) => use(descriptor, segment));
  } catch (error) {
    if (!isSystemError(error) || error.code !== 'ENOENT') throw error;
    if (segment.isSealed) return null;
    const sealed = listSegments(directory, files).find(({ first }) => first === segment.first);
    return sealed === undefined ? null : readSegment(directory, sealed, files, use);
  }
}

function segmentFacts(files: SpoolFiles, descriptor: number, segment: Segment): SegmentFacts {
  const { path, first, isSealed } = segment;
  const { size } = files.fstatSync(descriptor);
  const end = isSealed ? segment.end : scanSegment(files, descriptor, first, false).end;
  return {
    file: basename(path),
    state: isSealed ? 'sealed' : 'open',
    first,
    end,
    events: end - first,
    bytes: size,
    oldestMs: findOldest(files, descriptor, size),
  };
}

function findOldest(files: SpoolFiles, descriptor: number, size: number): number | null {
  for (let at = SEGMENT_HEADER_BYTES; ; ) {
    const found = findFrame(files, descriptor, at, size, false);
    if (found.kind === 'end' || found.kind === 'torn') return null;
    if (found.kind === 'frame' && found.header.events > 0) return found.header.oldestMs;
    at = found.next;
  }
}
