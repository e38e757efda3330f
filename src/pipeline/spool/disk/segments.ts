/** The segment files of a directory, after whatever end the last run came to. */
import { constants } from 'node:fs';
import { join } from 'node:path';
import type { SpoolFiles } from './files.ts';
import { FORMAT_VERSION, SEGMENT_HEADER_BYTES, type SpoolMark, segmentVersion } from './frame.ts';
import { type SegmentScan, scanSegment } from './scan.ts';

/** A file with the events `first` up to, not including, `end`. Sealed, its name says both. */
export interface Segment {
  readonly first: number;
  end: number;
  bytes: number;
  path: string;
  isSealed: boolean;
}

const NAME = /^(\d{20})(?:-(\d{20})\.segment|\.open)$/;

export function paddedOrdinal(ordinal: number): string {
  return String(ordinal).padStart(20, '0');
}

export function sealedName({ first, end }: Segment): string {
  return `${paddedOrdinal(first)}-${paddedOrdinal(end)}.segment`;
}

export type FoundSegments =
  | { readonly ok: true; readonly segments: Segment[]; readonly mark: SpoolMark | null }
  | { readonly ok: false; readonly problem: string };

/** All of them sealed: a torn tail is cut off, and what an unsealed file holds is read for it. Throws the fault of the system. */
export function findSegments(directory: string, files: SpoolFiles): FoundSegments {
  const segments: Segment[] = [];
  /** Of the last segment, where it has been read through already. */
  let recovered: SegmentScan | null = null;
  for (const segment of listSegments(directory, files)) {
    const problem = foreignVersion(segment, files);
    if (problem !== null) return { ok: false, problem };
    const scan = segment.isSealed ? null : recover(directory, segment, files);
    if (!segment.isSealed) continue;
    segments.push(segment);
    recovered = scan;
  }
  const last = segments.at(-1);
  const scan = recovered ?? (last === undefined ? null : scanSealed(last, files));
  return { ok: true, segments, mark: scan?.last?.mark ?? null };
}

/** The segments of a directory by rising ordinal, as their names tell; of an unsealed one the end is not known. */
export function listSegments(directory: string, files: SpoolFiles): Segment[] {
  const segments = files.readdirSync(directory).flatMap((name): Segment[] => {
    const [, first, end] = NAME.exec(name) ?? [];
    if (first === undefined) return [];
    const path = join(directory, name);
    // Who only looks does so beside an agent that seals and removes.
    const size = files.statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined) return [];
    return [
      { first: Number(first), end: Number(end ?? first), bytes: size, path, isSealed: end !== undefined },
    ];
  });
  return segments.sort((one, other) => one.first - other.first);
}

/** Of the format; null where the header of the segment is damaged. */
export function readVersion(files: SpoolFiles, descriptor: number): number | null {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  return segmentVersion(header.subarray(0, files.readSync(descriptor, header, 0, header.length, 0)));
}

/** Nothing of another format is touched; where the header itself is damaged, its frames still tell what they are. */
function foreignVersion({ path }: Segment, files: SpoolFiles): string | null {
  const version = withFile(files, path, constants.O_RDONLY, (descriptor) => readVersion(files, descriptor));
  if (version === null || version === FORMAT_VERSION) return null;
  return `${path} has format version ${version}, this agent knows version ${FORMAT_VERSION}: deliver it with the agent that wrote it (ktc spool drain), or move it away`;
}

/** Seals what a run has left open; what holds nothing is removed and stays unsealed. */
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

export function withFile<Result>(
  files: SpoolFiles,
  path: string,
  flags: number,
  use: (descriptor: number) => Result,
): Result {
  const descriptor = files.openSync(path, flags);
  try {
    return use(descriptor);
  } finally {
    files.closeSync(descriptor);
  }
}

/** The events from a cursor on that are in files. */
export function pending(segments: readonly Pick<Segment, 'first' | 'end'>[], cursor: number): number {
  return segments.reduce((sum, { first, end }) => sum + Math.max(0, end - Math.max(first, cursor)), 0);
}
