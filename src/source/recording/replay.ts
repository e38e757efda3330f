/** Replays a recording: gives the same records, tasks, losses and times as when it was made. */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { DONE, type Result, refusal, success } from '../../shared/result.ts';
import type { TraceClock } from '../clock.ts';
import { type EventFormat, parseEventFormat, parsePageFormat } from '../decode/format.ts';
import { compileReader } from '../decode/reader.ts';
import { compileTaskEvent } from '../decode/task-events.ts';
import { compileFilter } from '../filter/evaluate.ts';
import { createStreams, type Streams, type StreamsOptions } from '../merge.ts';
import type { RecordHandler, Source } from '../source.ts';
import { type Frame, type FrameResult, readFrames } from './frame-reader.ts';
import type { RecordingHeader } from './recording.ts';
import { createFoundTasks, createReplayedTasks, type ReplayedTasks } from './replayed-tasks.ts';

/** How long a replay waits before it asks again whether the pipeline can take more. */
const RETRY_MS = 10;

function incomplete(path: string, problem: string): string {
  return `${path} is not a complete recording made by ktc record: ${problem}`;
}

/**
 * Opens a recording. Calls `onProblem` once if the recording turns out to be damaged while it runs; the records before
 * the damage are given.
 */
export async function openReplay(
  path: string,
  onProblem: (problem: string) => void,
): Promise<Result<Source>> {
  const frames = readFrames(path);
  const read = await readHeader(frames);
  if (!read.ok) {
    return refusal(read.isMissing ? `there is no recording ${path}` : incomplete(path, read.problem));
  }
  const header = read.value;
  const events = compileEvents(header);
  if (!events.ok) return events;
  const pageFormat = parsePageFormat(header.pageFormat);
  if (pageFormat === null) return refusal(`${path} has no page format`);

  const { cpus, epoch } = header;
  const tasks = header.taskEvents === undefined ? createFoundTasks() : createReplayedTasks();
  const streams = createStreams({
    ...{ cpus, epoch, pageFormat, ...events.value, tasks },
    release: () => {},
  });
  const clock = createReplayClock(header);
  let stopped = false;
  let paused = false;

  /** Waits while the pipeline is full. */
  async function waitUntilReady(handler: RecordHandler): Promise<void> {
    while (!handler.ready() && !stopped) {
      paused = true;
      await setTimeout(RETRY_MS);
    }
    paused = false;
  }

  async function replayFrames(handler: RecordHandler): Promise<Result> {
    let isWhole = false;
    for await (const frame of frames) {
      if (stopped) return DONE;
      if (!frame.ok) return frame;
      replayFrame(frame.value, { streams, clock, tasks, handler });
      if (frame.value.kind !== 'give') continue;
      isWhole ||= frame.value.watermark === Number.POSITIVE_INFINITY;
      // The event loop has its turn.
      await setImmediate();
      await waitUntilReady(handler);
    }
    return isWhole ? DONE : refusal('it ends before the recorder ended');
  }

  async function run(handler: RecordHandler): Promise<void> {
    const replayed = await replayFrames(handler);
    if (replayed.ok) return;
    onProblem(incomplete(path, replayed.problem));
    // These pages have no frame that says up to which time they were given. All their records can be saved.
    streams.give(Number.POSITIVE_INFINITY, handler);
    handler.advance(Number.POSITIVE_INFINITY, false);
  }

  return success({
    clock,
    // Older versions wrote an empty one.
    kernel: { ...header.kernel, hostId: header.kernel.hostId || null },
    session: header.session,
    tasks: tasks.find,
    ownPid: null,
    run,
    async stop() {
      stopped = true;
    },
    setLinger() {},
    position: () => null,
    readHost: () => null,
    status: () => ({
      kind: 'replay',
      instance: path,
      clock: header.clockName,
      cpus: Array.from({ length: cpus }, (_, cpu) => ({ cpu, overrun: 0, unread_bytes: null })),
      probes: header.events.map(({ probe, filter, filteredBy = 'kernel', format }) => ({
        name: probe,
        event: `${parseEventFormat(format)?.name}`,
        enabled: true,
        filter,
        filteredBy,
        problem: null,
      })),
      processTracking: { enabled: events.value.taskReaders.size > 0, problem: null },
      module: null,
      paused,
      disturbances: [],
    }),
  });
}

async function readHeader(
  frames: AsyncIterator<FrameResult<Frame>, void>,
): Promise<FrameResult<RecordingHeader>> {
  const first = await frames.next();
  if (first.done === true) return refusal('it has no header');
  const frame = first.value;
  if (!frame.ok) return frame;
  return frame.value.kind === 'header' ? success(frame.value.header) : refusal('it has no header');
}

type CompiledEvents = Pick<StreamsOptions, 'readers' | 'filters' | 'taskReaders'>;

function compileEvents({ events, taskEvents = [] }: RecordingHeader): Result<CompiledEvents> {
  const probes = events.map((event) => ({ ...event, name: event.probe }));
  const readers = compileEach(probes, ({ probe }, format) => compileReader(probe, format));
  if (!readers.ok) return readers;
  const filtered = probes.filter(({ filteredBy, filter }) => filteredBy === 'source' && filter !== '');
  const filters = compileEach(filtered, ({ probe, filter }, format) => {
    const decided = compileFilter(filter, format);
    return decided.ok ? decided : refusal(`the recording's filter of ${probe}: ${decided.problem}`);
  });
  if (!filters.ok) return filters;
  const taskReaders = compileEach(taskEvents, ({ name }, format) => compileTaskEvent(name, format));
  if (!taskReaders.ok) return taskReaders;
  return success({ readers: readers.value, filters: filters.value, taskReaders: taskReaders.value });
}

/** What is made of these events, by the `common_type` of their records. */
function compileEach<Event extends { readonly name: string; readonly format: string }, Compiled>(
  events: readonly Event[],
  compile: (event: Event, format: EventFormat) => Result<Compiled>,
): Result<Map<number, Compiled>> {
  const byType = new Map<number, Compiled>();
  for (const event of events) {
    const format = parseEventFormat(event.format);
    if (format === null) return refusal(`the recording's format of ${event.name} cannot be understood`);
    const compiled = compile(event, format);
    if (!compiled.ok) return compiled;
    byType.set(format.id, compiled.value);
  }
  return success(byType);
}

interface ReplayClock extends TraceClock {
  /** Trace time up to which records were given. */
  given: number;
}

function createReplayClock(header: RecordingHeader): ReplayClock {
  const clock: ReplayClock = {
    epoch: header.epoch,
    wallSeconds: 0,
    wallNanoseconds: 0,
    given: 0,
    now: () => clock.given,
    follow: () => clock.given,
  };
  return clock;
}

interface ReplayState {
  readonly streams: Streams;
  readonly clock: ReplayClock;
  readonly tasks: ReplayedTasks;
  readonly handler: RecordHandler;
}

function replayFrame(frame: Frame, { streams, clock, tasks, handler }: ReplayState): void {
  switch (frame.kind) {
    case 'page':
      return streams.push(frame.cpu, frame.page);
    case 'clock':
      clock.wallSeconds = frame.wallSeconds;
      clock.wallNanoseconds = frame.wallNanoseconds;
      return;
    case 'task':
      return tasks.add(frame);
    case 'place':
      return tasks.addPlace(frame);
    case 'existing':
      return handler.existing(frame.connections);
    case 'lost':
      tasks.lost();
      return handler.lost(frame.reason, frame.records);
    case 'host':
      return handler.host(frame.report);
    case 'give':
      if (Number.isFinite(frame.watermark)) clock.given = frame.watermark;
      streams.give(frame.watermark, handler);
      handler.advance(frame.watermark, false);
  }
}
