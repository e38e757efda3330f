/** The bundled recordings, taken apart without src/source/recording/replay.ts. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { RecordedEvent } from '../../../src/source/recording/recording.ts';

export const RECORDINGS = join(import.meta.dirname, '../../recordings');

export interface RecordedFrame {
  readonly type: number;
  readonly cpu: number;
  readonly payload: Buffer;
}

export interface Recorded {
  readonly name: string;
  readonly path: string;
  readonly events: readonly RecordedEvent[];
  readonly frames: readonly RecordedFrame[];
  readonly pages: readonly Buffer[];
}

const HEADER = 1;
const PAGE = 2;

export function takeApart(recording: Buffer): RecordedFrame[] {
  const bytes = gunzipSync(recording);
  const frames: RecordedFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 8 + bytes.readUInt32LE(at + 4);
    const payload = bytes.subarray(at + 8, end);
    frames.push({ type: bytes.readUInt8(at), cpu: bytes.readUInt16LE(at + 2), payload });
    at = end;
  }
  return frames;
}

export function putTogether(frames: readonly RecordedFrame[]): Buffer {
  return Buffer.concat(
    frames.flatMap(({ type, cpu, payload }) => {
      const head = Buffer.alloc(8);
      head.writeUInt8(type);
      head.writeUInt16LE(cpu, 2);
      head.writeUInt32LE(payload.length, 4);
      return [head, payload];
    }),
  );
}

export function readRecordings(): Recorded[] {
  return readdirSync(RECORDINGS)
    .filter((name) => name.endsWith('.ktcrec'))
    .map((name) => {
      const path = join(RECORDINGS, name);
      const frames = takeApart(readFileSync(path));
      const header = frames.find(({ type }) => type === HEADER);
      if (header === undefined) throw new Error(`${path} has no header`);
      const { events } = JSON.parse(header.payload.toString()) as { events: RecordedEvent[] };
      const pages = frames.filter(({ type }) => type === PAGE).map(({ payload }) => payload);
      return { name, path, events, frames, pages };
    });
}
