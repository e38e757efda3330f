/** Reads the frames of a recording (recording.ts has the format), and checks what each holds. */
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { isSystemError } from '../../shared/errors.ts';
import { type Result, refusal, success } from '../../shared/result.ts';
import { NO_PLACE } from '../host/control-group.ts';
import type { HostReport } from '../host/report.ts';
import type { ExistingConnection } from '../host/sockets.ts';
import type { ThreadFacts } from '../host/task-tracker.ts';
import type { SourceLoss } from '../source.ts';
import {
  type ClockFrame,
  type ExistingFrame,
  FRAME,
  FRAME_HEAD_BYTES,
  type GiveFrame,
  type LostFrame,
  type PlaceFrame,
  RECORDING_VERSION,
  type RecordingHeader,
  type TaskFrame,
} from './recording.ts';

export type Frame =
  | { readonly kind: 'header'; readonly header: RecordingHeader }
  | { readonly kind: 'page'; readonly cpu: number; readonly page: Buffer }
  | ({ readonly kind: 'clock' } & ClockFrame)
  | ({ readonly kind: 'task' } & RecordedTask)
  | ({ readonly kind: 'place' } & PlaceFrame)
  /** Trace time in nanoseconds; Infinity at the end of a whole recording. */
  | { readonly kind: 'give'; readonly watermark: number }
  | { readonly kind: 'lost'; readonly reason: SourceLoss; readonly records: number }
  | { readonly kind: 'existing'; readonly connections: readonly ExistingConnection[] }
  | { readonly kind: 'host'; readonly report: HostReport }
  /** A later version may add types. */
  | { readonly kind: 'unknown' };

/** What /proc said of a thread. */
export interface RecordedTask {
  readonly thread: number;
  /** The trace time of the record for which it was asked. */
  readonly time: number;
  /** Null if the thread had ended. */
  readonly facts: ThreadFacts | null;
}

/** `isMissing`: there is no such file. */
export type FrameResult<T> = Result<T, { isMissing?: boolean }>;

interface RawFrame {
  readonly type: number;
  readonly cpu: number;
  readonly payload: Buffer;
}

const MAX_FRAME_BYTES = 16 << 20;

const DECODERS: Readonly<Record<number, (json: object) => Result<Frame>>> = {
  [FRAME.header]: decodeHeader,
  [FRAME.clock]: decodeClock,
  [FRAME.task]: decodeTask,
  [FRAME.give]: decodeGive,
  [FRAME.lost]: decodeLost,
  [FRAME.existing]: decodeExisting,
  [FRAME.host]: decodeHost,
  [FRAME.place]: decodePlace,
};

/** The frames of a file, in order. After a refusal, which is the last, nothing more can be read. */
export async function* readFrames(path: string): AsyncGenerator<FrameResult<Frame>, void> {
  for await (const raw of splitFrames(path)) {
    const frame = raw.ok ? decodeFrame(raw.value) : raw;
    yield frame;
    if (!frame.ok) return;
  }
}

async function* splitFrames(path: string): AsyncGenerator<FrameResult<RawFrame>, void> {
  const input = createReadStream(path);
  const stream = createGunzip();
  input.on('error', (error) => stream.destroy(error));
  input.pipe(stream);
  const chunks: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]();
  try {
    let rest: Buffer = Buffer.alloc(0);
    for (;;) {
      const chunk = await readChunk(chunks);
      if (!chunk.ok) return yield chunk;
      if (chunk.value === null) break;
      let bytes = rest.length === 0 ? chunk.value : Buffer.concat([rest, chunk.value]);
      while (bytes.length >= FRAME_HEAD_BYTES) {
        const length = bytes.readUInt32LE(4);
        if (length > MAX_FRAME_BYTES) return yield refusal(`a frame of ${length} bytes`);
        const end = FRAME_HEAD_BYTES + length;
        if (bytes.length < end) break;
        const payload = bytes.subarray(FRAME_HEAD_BYTES, end);
        yield success({ type: bytes.readUInt8(0), cpu: bytes.readUInt16LE(2), payload });
        bytes = bytes.subarray(end);
      }
      rest = bytes;
    }
    if (rest.length > 0) yield refusal('it ends within a frame');
  } finally {
    input.destroy();
    stream.destroy();
  }
}

/** The next bytes; null at the end of the file. */
async function readChunk(chunks: AsyncIterator<Buffer>): Promise<FrameResult<Buffer | null>> {
  try {
    const next = await chunks.next();
    return success(next.done === true ? null : next.value);
  } catch (error) {
    if (isSystemError(error)) return { ...refusal(error.message), isMissing: error.code === 'ENOENT' };
    if (isZlibError(error)) return refusal(error.message);
    throw error;
  }
}

/** Damaged data: `Z_DATA_ERROR`, `Z_BUF_ERROR`, … (https://nodejs.org/api/zlib.html). */
function isZlibError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && /^Z_[A-Z]+_ERROR$/.test(String(error.code));
}

function decodeFrame({ type, cpu, payload }: RawFrame): Result<Frame> {
  // A copy, because the payload is a view of a larger chunk.
  if (type === FRAME.page) return success({ kind: 'page', cpu, page: Buffer.from(payload) });
  const decode = DECODERS[type];
  if (decode === undefined) return success({ kind: 'unknown' });
  const parsed = parseObject(payload);
  return parsed.ok ? decode(parsed.value) : parsed;
}

function parseObject(payload: Buffer): Result<object> {
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'));
    return typeof value === 'object' && value !== null ? success(value) : refusal('a frame holds no object');
  } catch (error) {
    if (error instanceof SyntaxError) return refusal(error.message);
    throw error;
  }
}

function decodeHeader(json: Partial<RecordingHeader>): Result<Frame> {
  const { version, kernel, session, cpus, clockName, epoch, pageFormat, events, taskEvents } = json;
  if (version !== RECORDING_VERSION) return refusal(`its version is ${version}, not ${RECORDING_VERSION}`);
  if (!kernel || !session || !cpus || !clockName || !epoch || !pageFormat || !Array.isArray(events)) {
    return refusal('its header lacks fields');
  }
  const header = {
    ...{ version, kernel, session, cpus, clockName, epoch, pageFormat, events },
    ...(taskEvents !== undefined && { taskEvents }),
  };
  return success({ kind: 'header', header });
}

function decodeClock({ wallSeconds, wallNanoseconds }: Partial<ClockFrame>): Result<Frame> {
  if (typeof wallSeconds !== 'number' || typeof wallNanoseconds !== 'number') return lacksFields('clock');
  return success({ kind: 'clock', wallSeconds, wallNanoseconds });
}

function decodeTask(json: Partial<TaskFrame>): Result<Frame> {
  const { thread, pid, comm = null, isKernel = false } = json;
  const { since = Number.NEGATIVE_INFINITY, time = Number.NEGATIVE_INFINITY } = json;
  if (typeof thread !== 'number' || pid === undefined) return lacksFields('task');
  return success({
    kind: 'task',
    thread,
    time,
    facts: pid === null ? null : { who: { pid, comm, isKernel }, since },
  });
}

function decodePlace({ pid, time, place }: Partial<PlaceFrame>): Result<Frame> {
  if (typeof pid !== 'number' || typeof time !== 'number' || place === undefined) return lacksFields('place');
  return success({ kind: 'place', pid, time, place });
}

function decodeGive({ watermark }: Partial<GiveFrame>): Result<Frame> {
  if (watermark === undefined) return lacksFields('give');
  return success({ kind: 'give', watermark: watermark ?? Number.POSITIVE_INFINITY });
}

function decodeLost({ reason, records }: Partial<LostFrame>): Result<Frame> {
  if (typeof reason !== 'string' || typeof records !== 'number') return lacksFields('lost');
  return success({ kind: 'lost', reason, records });
}

function decodeExisting({ existing }: Partial<ExistingFrame>): Result<Frame> {
  if (!Array.isArray(existing)) return lacksFields('existing');
  const connections = existing.map(({ owner, ...connection }) => ({
    ...connection,
    // Recordings of older versions have neither places nor what tells the kernel's threads, which have no socket open.
    owner: owner === null ? null : { ...NO_PLACE, ...owner, isKernel: false },
  }));
  return success({ kind: 'existing', connections });
}

function decodeHost(json: Partial<HostReport>): Result<Frame> {
  const { time, netns = null, addresses, counters, interfaces } = json;
  if (typeof time !== 'number' || !Array.isArray(addresses) || !counters || !interfaces) {
    return lacksFields('host');
  }
  return success({ kind: 'host', report: { time, netns, addresses, counters, interfaces } });
}

function lacksFields(kind: Frame['kind']) {
  return refusal(`a frame of kind ${kind} lacks fields`);
}
