/** Events of a spool's directory, also beside the agent that uses it: nothing is locked and nothing changed. */
import { basename } from 'node:path';
import { type SpoolFiles, systemFiles } from '../../pipeline/spool/disk/files.ts';
import { SEGMENT_HEADER_BYTES } from '../../pipeline/spool/disk/frame.ts';
import { findFrame, readPayload } from '../../pipeline/spool/disk/scan.ts';
import { listSegments } from '../../pipeline/spool/disk/segments.ts';
import { readSegment } from '../../pipeline/spool/inspect.ts';
import { hasErrorCode, isSystemError } from '../../shared/errors.ts';
import { type Chunk, type Input, inputRefusal } from './input.ts';

export function spoolInput(directory: string): Input {
  const problems: string[] = [];
  return {
    name: `spool ${directory}`,
    async *read() {
      try {
        const segments = listSegments(directory, systemFiles);
        if (segments.length === 0 && holdsNdjson(directory))
          yield inputRefusal('damaged', `${directory} is no spool, and has NDJSON: name the files in it`);
        for (const segment of segments) {
          const payloads = readSegment(directory, segment, systemFiles, (descriptor, { path }) =>
            payloadsOf(systemFiles, descriptor, (offset) =>
              problems.push(`${basename(path)}, offset ${offset}: damaged, its events are missing`),
            ),
          );
          for (const value of payloads ?? []) yield { ok: true, value };
        }
      } catch (error) {
        yield refusalOf(error, directory);
      }
    },
    problems: () => problems,
  };
}

/** A directory of what a file sink or a shipper wrote. */
function holdsNdjson(directory: string): boolean {
  return systemFiles.readdirSync(directory).some((name) => /\.ndjson\b/.test(name));
}

/** A segment is at most a few MiB (`spool.segment_bytes`), so it is read as a whole. Throws the error of the system. */
function payloadsOf(files: SpoolFiles, descriptor: number, onDamage: (offset: number) => void): Buffer[] {
  const payloads: Buffer[] = [];
  const { size } = files.fstatSync(descriptor);
  let at = SEGMENT_HEADER_BYTES;
  for (;;) {
    const found = findFrame(files, descriptor, at, size, false);
    if (found.kind === 'end' || found.kind === 'torn') return payloads;
    const payload = found.kind === 'frame' ? readPayload(files, descriptor, at, found.header) : null;
    if (payload === null) onDamage(at);
    else payloads.push(payload);
    at = found.next;
  }
}

function refusalOf(error: unknown, directory: string): Chunk {
  if (!isSystemError(error)) throw error;
  if (hasErrorCode(error, 'EACCES'))
    return inputRefusal(
      'not_permitted',
      `cannot read ${error.path ?? directory}: ask as its owner, or as root`,
    );
  return inputRefusal('io', error.message);
}
