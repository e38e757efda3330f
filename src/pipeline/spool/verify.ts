/**
 * Reads every byte of a spool, one frame at a time, and reports damage. May run beside the agent that uses the spool.
 */
import { basename } from 'node:path';
import { batchOf } from '../../sink/batch.ts';
import { listCursors, readCursor } from './disk/cursor.ts';
import type { SpoolFiles } from './disk/files.ts';
import { FORMAT_VERSION, SEGMENT_HEADER_BYTES } from './disk/frame.ts';
import { findFrame, readPayload } from './disk/scan.ts';
import { listSegments, readVersion, type Segment } from './disk/segments.ts';
import { readSegment } from './inspect.ts';

/** Takes what a verification finds; `file` is a name in the directory. */
export interface VerifyReporter {
  /** Something is not what was written. `offset` is in bytes from the start of the file. */
  damage(file: string, offset: number, what: string): void;
  /** Something is unusual, but nothing is missing. */
  note(file: string, offset: number, what: string): void;
  /** So many bytes were read since the last call. */
  progress(bytes: number): void;
}

/** What was read in all. */
export interface VerifyTotals {
  readonly files: number;
  /** Undamaged frames, and their events. */
  readonly frames: number;
  readonly events: number;
  readonly bytes: number;
}

/** Checks every CRC and every ordinal, and reports each damaged place. Throws the error of the system. */
export function verifySpool(directory: string, files: SpoolFiles, report: VerifyReporter): VerifyTotals {
  const totals = { files: 0, frames: 0, events: 0, bytes: 0 };
  let end = 0;
  for (const listed of listSegments(directory, files)) {
    readSegment(directory, listed, files, (descriptor, segment) => {
      if (segment.first < end)
        report.damage(
          basename(segment.path),
          0,
          `begins with event ${segment.first}: an older file has it too`,
        );
      end = Math.max(end, segment.end);
      const found = verifySegment(files, descriptor, segment, report);
      totals.files++;
      totals.frames += found.frames;
      totals.events += found.events;
      totals.bytes += found.bytes;
    });
  }
  for (const sink of listCursors(directory, files)) {
    if (readCursor(directory, sink, files).kind !== 'damaged') continue;
    report.damage(`cursor.${sink}`, 0, 'is no cursor: its sink will begin with the oldest event kept');
  }
  return totals;
}

function verifySegment(
  files: SpoolFiles,
  descriptor: number,
  segment: Segment,
  report: VerifyReporter,
): Omit<VerifyTotals, 'files'> {
  const file = basename(segment.path);
  const { size } = files.fstatSync(descriptor);
  const totals = { frames: 0, events: 0, bytes: size };
  const damage = (offset: number, what: string) => report.damage(file, offset, what);
  const version = readVersion(files, descriptor);
  if (version !== null && version !== FORMAT_VERSION) {
    damage(8, `has format version ${version}, and this ktc knows version ${FORMAT_VERSION}`);
    return totals;
  }
  if (version === null && (segment.isSealed || size >= SEGMENT_HEADER_BYTES))
    damage(0, 'the header of the file is damaged');

  let due = segment.first;
  /** The gap before the next frame was reported already. */
  let isAfterDamage = false;
  let at = SEGMENT_HEADER_BYTES;
  for (;;) {
    const found = findFrame(files, descriptor, at, size, false);
    if (found.kind === 'end' || found.kind === 'torn') {
      verifyEnd(segment, { due, at: Math.min(at, size), size }, report);
      return totals;
    }
    report.progress(found.next - at);
    if (found.kind === 'damaged') {
      damage(at, `${found.next - at} bytes are no frame`);
      isAfterDamage = true;
    } else {
      const { header } = found;
      const isDue = header.ordinal === due || (isAfterDamage && header.ordinal > due);
      if (!isDue) damage(at, `a frame begins with event ${header.ordinal}, where ${due} was due`);
      due = header.ordinal + header.events;
      isAfterDamage = false;
      const payload = readPayload(files, descriptor, at, header);
      if (payload === null) damage(at, `the CRC of ${header.events} events is wrong`);
      else if (batchOf(payload, header.events, 0) === null) damage(at, `holds no ${header.events} lines`);
      else {
        totals.frames++;
        totals.events += header.events;
      }
    }
    at = found.next;
  }
}

interface SegmentEnd {
  /** Ordinal of the event that would come next. */
  readonly due: number;
  /** Offset of the end of the last frame. */
  readonly at: number;
  readonly size: number;
}

function verifyEnd(segment: Segment, { due, at, size }: SegmentEnd, report: VerifyReporter): void {
  const file = basename(segment.path);
  const rest = size - at;
  if (!segment.isSealed) {
    if (rest > 0)
      report.note(file, at, `${rest} bytes are no whole frame: being written, or cut off by a start`);
  } else if (due < segment.end) {
    report.damage(file, at, `${segment.end - due} events are missing, up to the ${segment.end} of its name`);
  } else if (due > segment.end) {
    report.damage(file, at, `has events up to ${due}, and its name says ${segment.end}`);
  } else if (rest > 0) {
    report.note(file, at, `${rest} bytes behind the last frame, left by a write that failed`);
  }
}
