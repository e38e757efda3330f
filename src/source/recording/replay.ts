/** Gives a recording again: the same records, tasks, losses and times as when it was made. */
import { createReadStream } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import type { Opened } from '../../shared/result.ts';
import type { TraceClock } from '../clock.ts';
import { parseEventFormat, parsePageFormat } from '../decode/format.ts';
import { compileReader, type RecordReader } from '../decode/record.ts';
import { idleTask, type Task } from '../host/tasks.ts';
import { createStreams, type Streams } from '../merge.ts';
import type { RecordHandler, Source } from '../source.ts';
import {
  type ClockFrame,
  type ExistingFrame,
  FRAME,
  FRAME_HEAD_BYTES,
  type GiveFrame,
  type LostFrame,
  RECORDING_VERSION,
  type RecordingHeader,
  type TaskFrame,
} from './recording.ts';

interface Frame {
  readonly type: number;
  readonly cpu: number;
  readonly payload: Buffer;
}

/** How long a replay waits before it asks again whether the pipeline can take more. */
const RETRY_MS = 10;
const MAX_FRAME_BYTES = 16 << 20;

async function* readFrames(path: string): AsyncGenerator<Frame, void> {
  const input = createReadStream(path);
  const stream = createGunzip();
  input.on('error', (error) => stream.destroy(error));
  input.pipe(stream);
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (bytes.length >= FRAME_HEAD_BYTES) {
      const length = bytes.readUInt32LE(4);
      if (length > MAX_FRAME_BYTES) throw new Error(`a frame of ${length} bytes`);
      const end = FRAME_HEAD_BYTES + length;
      if (bytes.length < end) break;
      yield {
        type: bytes.readUInt8(0),
        cpu: bytes.readUInt16LE(2),
        payload: bytes.subarray(FRAME_HEAD_BYTES, end),
      };
      bytes = bytes.subarray(end);
    }
    rest = bytes;
  }
  if (rest.length > 0) throw new Error('it ends within a frame');
}

function parse<T>(frame: Frame): T {
  return JSON.parse(frame.payload.toString('utf8')) as T;
}

function readHeader(frame: Frame): RecordingHeader {
  const { version, ...header } = parse<Partial<RecordingHeader>>(frame);
  if (version !== RECORDING_VERSION) throw new Error(`its version is ${version}, not ${RECORDING_VERSION}`);
  const { kernel, session, cpus, clockName, epoch, pageFormat, events } = header;
  if (!kernel || !session || !cpus || !clockName || !epoch || !pageFormat || !Array.isArray(events)) {
    throw new Error('its header lacks fields');
  }
  return { version, kernel, session, cpus, clockName, epoch, pageFormat, events };
}

function explain(path: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `there is no recording ${path}`;
  return `${path} is not a complete recording made by ktc record: ${message}`;
}

/** `onProblem` hears, once, where a recording turned out to be damaged; what came before it has been given. */
export async function openReplay(
  path: string,
  onProblem: (problem: string) => void,
): Promise<Opened<Source>> {
  const frames = readFrames(path);
  let header: RecordingHeader;
  try {
    const first = await frames.next();
    if (first.done === true || first.value.type !== FRAME.header) throw new Error('it has no header');
    header = readHeader(first.value);
  } catch (error) {
    return { ok: false, problem: explain(path, error) };
  }
  const readers = compileReaders(header);
  if (!readers.ok) return readers;
  const pageFormat = parsePageFormat(header.pageFormat);
  if (pageFormat === null) return { ok: false, problem: `${path} has no page format` };

  const { cpus, epoch } = header;
  const streams = createStreams({ cpus, epoch, pageFormat, readers: readers.value, release: () => {} });
  const clock = createReplayClock(header);
  const tasks = new Map<number, Task>();
  let stopped = false;
  let paused = false;

  async function run(handler: RecordHandler): Promise<void> {
    let whole = false;
    try {
      for await (const frame of frames) {
        if (stopped) return;
        whole ||= frame.type === FRAME.give && parse<GiveFrame>(frame).watermark === null;
        if (await replayFrame(frame, { streams, clock, tasks, handler })) {
          while (!handler.ready() && !stopped) {
            paused = true;
            await setTimeout(RETRY_MS);
          }
          paused = false;
        }
      }
      if (!whole) throw new Error('it ends before the recorder ended');
    } catch (error) {
      onProblem(explain(path, error));
      // Pages without the frame that says up to when they were given: all that can be saved.
      streams.give(Number.POSITIVE_INFINITY, handler);
      handler.advance(Number.POSITIVE_INFINITY);
    }
  }

  return {
    ok: true,
    value: {
      clock,
      kernel: header.kernel,
      session: header.session,
      tasks: (thread, cpu) =>
        thread === 0 ? idleTask(cpu) : (tasks.get(thread) ?? { pid: thread, comm: null }),
      run,
      async stop() {
        stopped = true;
      },
      position: () => null,
      status: () => ({
        kind: 'replay',
        instance: path,
        clock: header.clockName,
        cpus: Array.from({ length: cpus }, (_, cpu) => ({ cpu, overrun: 0, unread_bytes: null })),
        probes: header.events.map(({ probe, filter, format }) => ({
          name: probe,
          event: `${parseEventFormat(format)?.name}`,
          enabled: true,
          filter,
          problem: null,
        })),
        module: null,
        paused,
      }),
    },
  };
}

function compileReaders(header: RecordingHeader): Opened<Map<number, RecordReader>> {
  const readers = new Map<number, RecordReader>();
  for (const { probe, format: text } of header.events) {
    const format = parseEventFormat(text);
    if (format === null)
      return { ok: false, problem: `the recording's format of ${probe} cannot be understood` };
    const compiled = compileReader(probe, format);
    if (!compiled.ok) return compiled;
    readers.set(format.id, compiled.read);
  }
  return { ok: true, value: readers };
}

interface ReplayClock extends TraceClock {
  /** Trace time up to which records have been given. */
  given: number;
}

function createReplayClock(header: RecordingHeader): ReplayClock {
  const clock: ReplayClock = {
    epoch: header.epoch,
    wallSeconds: 0,
    wallNanoseconds: 0,
    given: 0,
    now: () => clock.given,
    follow() {},
  };
  return clock;
}

interface ReplayState {
  readonly streams: Streams;
  readonly clock: ReplayClock;
  readonly tasks: Map<number, Task>;
  readonly handler: RecordHandler;
}

/** True when records have been given, after the event loop has had its turn. */
async function replayFrame(frame: Frame, { streams, clock, tasks, handler }: ReplayState): Promise<boolean> {
  switch (frame.type) {
    case FRAME.page:
      streams.push(frame.cpu, Buffer.from(frame.payload));
      return false;
    case FRAME.clock: {
      const { wallSeconds, wallNanoseconds } = parse<ClockFrame>(frame);
      clock.wallSeconds = wallSeconds;
      clock.wallNanoseconds = wallNanoseconds;
      return false;
    }
    case FRAME.task: {
      const { thread, pid, comm } = parse<TaskFrame>(frame);
      tasks.set(thread, { pid, comm });
      return false;
    }
    case FRAME.existing:
      handler.existing(parse<ExistingFrame>(frame).existing);
      return false;
    case FRAME.lost: {
      const { reason, records } = parse<LostFrame>(frame);
      handler.lost(reason, records);
      return false;
    }
    case FRAME.give: {
      const watermark = parse<GiveFrame>(frame).watermark ?? Number.POSITIVE_INFINITY;
      if (Number.isFinite(watermark)) clock.given = watermark;
      streams.give(watermark, handler);
      handler.advance(watermark);
      await setImmediate();
      return true;
    }
    default:
      // A later version may add frames; those of this version are all above.
      return false;
  }
}
