/** The segment files of a directory, however the last run ended. */
import { constants } from 'node:fs';
import { join } from 'node:path';
import { DONE, type Result, refusal, success } from '../../../shared/result.ts';
import { type SpoolFiles, withFile } from './files.ts';
import { FORMAT_VERSION, SEGMENT_HEADER_BYTES, type SpoolMark, segmentVersion } from './frame.ts';
import { type SegmentScan, scanSegment } from './scan.ts';

/** A file with the events `first` up to, not including, `end`: ordinals. The name of a sealed one says both. */
export interface Segment {
  readonly first: number;
  end: number;
  bytes: number;
  path: string;
  isSealed: boolean;
}

const NAME = /^(\d{20})(?:-(\d{20})\.segment|\.open)$/;

/** An ordinal as the names of files have it: names sort as their ordinals do. */
export function paddedOrdinal(ordinal: number): string {
  return String(ordinal).padStart(20, '0');
}

/** The name of a sealed segment, which says what is in it. */
export function sealedName({ first, end }: Segment): string {
  return `${paddedOrdinal(first)}-${paddedOrdinal(end)}.segment`;
}

/** What an earlier run left in the directory. */
export interface FoundSegments {
  /** By rising ordinal, all of them sealed. */
  readonly segments: Segment[];
  /** The mark of the last frame; null where it has none. */
  readonly mark: SpoolMark | null;
}

/**
 * Seals what the last run left open: its frames are read, and a torn tail is cut off. Refuses another version of the
 * format, and touches nothing of it. Throws the error of the system.
 */
export function findSegments(directory: string, files: SpoolFiles): Result<FoundSegments> {
  const segments: Segment[] = [];
  /** What is in the last segment, where it was read through already. */
  let recovered: SegmentScan | null = null;
  for (const segment of listSegments(directory, files)) {
    const checked = checkVersion(segment, files);
    if (!checked.ok) return checked;
    const scan = segment.isSealed ? null : recover(directory, segment, files);
    if (!segment.isSealed) continue;
    segments.push(segment);
    recovered = scan;
  }
  const last = segments.at(-1);
  const scan = recovered ?? (last === undefined ? null : scanSealed(last, files));
  return success({ segments, mark: scan?.last?.mark ?? null });
}

/** The segments of a directory by rising ordinal, as their names say; the end of an unsealed one is not known. */
export function listSegments(directory: string, files: SpoolFiles): Segment[] {
  const segments = files.readdirSync(directory).flatMap((name): Segment[] => {
    const [, first, end] = NAME.exec(name) ?? [];
    if (first === undefined) return [];
    const path = join(directory, name);
    // An inspection runs beside an agent, which may have removed the file since.
    const size = files.statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined) return [];
    return [
      { first: Number(first), end: Number(end ?? first), bytes: size, path, isSealed: end !== undefined },
    ];
  });
  return segments.sort((one, other) => one.first - other.first);
}

/** The version of the format that a segment is written in; null where its header is damaged. */
export function readVersion(files: SpoolFiles, descriptor: number): number | null {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  return segmentVersion(header.subarray(0, files.readSync(descriptor, header, 0, header.length, 0)));
}

/** A damaged header is no refusal: the frames behind it still say what they are. */
function checkVersion({ path }: Segment, files: SpoolFiles): Result {
  const version = withFile(files, path, constants.O_RDONLY, (descriptor) => readVersion(files, descriptor));
  if (version === null || version === FORMAT_VERSION) return DONE;
  return refusal(
    `${path} has format version ${version}, this agent knows version ${FORMAT_VERSION}: deliver it with the agent that wrote it (ktc spool drain), or move it away`,
  );
}

/** Seals a segment that a run has left open. One that holds nothing is removed, and stays unsealed. */
function recover(directory: string, segment: Segment, files: SpoolFiles): SegmentScan {
  const found = withFile(files, segment.path, constants.O_RDWR, (descriptor) => {
    const scan = scanSegment(files, descriptor, segment.first, false);
    if (scan.bytes < segment.bytes) files.ftruncateSync(descriptor, scan.bytes);
    return scan;
  });
  if (found.bytes <= SEGMENT_HEADER_BYTES) {
    files.unlinkSync(segment.path);
    return found;
  }
  segment.bytes = found.bytes;
  segment.end = found.end;
  segment.isSealed = true;
  const path = join(directory, sealedName(segment));
  files.renameSync(segment.path, path);
  segment.path = path;
  return found;
}

function scanSealed({ path, first }: Segment, files: SpoolFiles): SegmentScan {
  return withFile(files, path, constants.O_RDONLY, (descriptor) =>
    scanSegment(files, descriptor, first, false),
  );
}

/** Number of events in these segments from a cursor on. */
export function pending(segments: readonly Pick<Segment, 'first' | 'end'>[], cursor: number): number {
  return segments.reduce((sum, { first, end }) => sum + Math.max(0, end - Math.max(first, cursor)), 0);
}
