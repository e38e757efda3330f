/** Writes one segment file: its header, its frames, and its name when it is sealed. */
import { constants } from 'node:fs';
import { join } from 'node:path';
import { FILE_MODE, ignoreFault, type SpoolFiles } from './files.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './frame.ts';
import { paddedOrdinal, type Segment, sealedName } from './segments.ts';

/** The segment that is written. */
export interface OpenSegment {
  readonly segment: Segment;
  readonly descriptor: number;
}

/** The file of an unsealed segment that begins with the event `first`. */
export function openPath(directory: string, first: number): string {
  return join(directory, `${paddedOrdinal(first)}.open`);
}

/** Makes the file of a segment. Throws the error of the system; then the file is removed again, if that is possible. */
export function beginSegment(directory: string, first: number, files: SpoolFiles): OpenSegment {
  const path = openPath(directory, first);
  const { O_CREAT, O_TRUNC, O_RDWR } = constants;
  const descriptor = files.openSync(path, O_RDWR | O_CREAT | O_TRUNC, FILE_MODE);
  try {
    writeWhole(files, descriptor, [encodeSegmentHeader()], 0);
  } catch (error) {
    files.closeSync(descriptor);
    ignoreFault(() => files.unlinkSync(path));
    throw error;
  }
  return { segment: { first, end: first, bytes: SEGMENT_HEADER_BYTES, path, isSealed: false }, descriptor };
}

/** Gives the file of a segment, which holds frames, the name that says what is in it. */
export function renameSealed(directory: string, segment: Segment, files: SpoolFiles): void {
  const path = join(directory, sealedName(segment));
  // Where the directory was removed, the file is gone too: the next reader finds that out, and counts its events. On a
  // read-only file system the file keeps its name, and the next start reads it through.
  ignoreFault(() => {
    files.renameSync(segment.path, path);
    segment.path = path;
  });
}

/** Writes all parts at an offset. Throws the error of the system, also where a full disk took some of the bytes. */
export function writeWhole(files: SpoolFiles, descriptor: number, parts: Buffer[], at: number): void {
  const wanted = parts.reduce((sum, part) => sum + part.length, 0);
  let written = files.writevSync(descriptor, parts, at);
  if (written === wanted) return;
  const whole = Buffer.concat(parts);
  while (written < wanted) {
    const count = files.writeSync(descriptor, whole, written, wanted - written, at + written);
    written += count;
  }
}
