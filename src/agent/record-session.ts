/** A session that only records: no events, no sinks. */
import type { AgentConfig } from '../config/schema.ts';
import { success } from '../shared/result.ts';
import { createRecording } from '../source/recording/recording.ts';
import type { Source } from '../source/source.ts';
import { NO_NEWS, openSource } from './assembly/source.ts';
import { failure, type SessionEnd, sourceFailure } from './session-end.ts';
import { createStopWishes, onSignals } from './signals.ts';

export interface RecordOptions {
  readonly config: AgentConfig;
  readonly path: string;
  /** Infinity records until a signal comes. */
  readonly seconds: number;
}

/** What a recording has. */
export interface Recorded {
  readonly records: number;
  readonly pages: number;
  /** Records that the kernel could not keep. */
  readonly lost: number;
  /** The size of the file. */
  readonly bytes: number;
}

/** Records until a signal comes, the time is over, or the file cannot be written. */
export async function recordSession({ config, path, seconds }: RecordOptions): Promise<SessionEnd<Recorded>> {
  let source: Source | null = null;
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    void source?.stop();
  };
  const created = createRecording(path, stop);
  if (!created.ok) return failure('io', created.problem);
  const recording = created.value;
  const forgetSignals = onSignals(['SIGTERM', 'SIGINT'], createStopWishes({ first: stop, again() {} }));
  let ended: string | null = null;
  const news = {
    ...NO_NEWS,
    ended(problem: string) {
      ended = problem;
    },
  };
  const opened = await openSource(config, news, { recording });
  if (!opened.ok) return sourceFailure(opened);
  source = opened.value;
  const timer = Number.isFinite(seconds) ? setTimeout(stop, seconds * 1000) : null;
  const counts = { records: 0, lost: 0 };
  const reading = readInto(source, counts);
  const stopHost = recordHost(source, config.host_status.interval_s);
  if (stopped) stop();
  await reading;
  await source.stop();
  stopHost();
  if (timer !== null) clearTimeout(timer);
  forgetSignals();
  const { pages, bytes, problem } = recording.close();
  if (problem !== null) return failure('io', `${path} ends after ${bytes} bytes: ${problem}`);
  if (ended !== null) return failure('unavailable', ended);
  return success({ ...counts, pages, bytes });
}

/** Records what the host says of itself: now, in intervals, and when the function that it returns is called. */
function recordHost(source: Source, intervalSeconds: number): () => void {
  if (intervalSeconds === 0) return () => {};
  // The source writes what it reads.
  const read = () => void source.readHost();
  read();
  const timer = setInterval(read, intervalSeconds * 1000);
  return () => {
    clearInterval(timer);
    read();
  };
}

/** Reads everything that the source gives, which records it, and counts it. */
function readInto(source: Source, counts: { records: number; lost: number }): Promise<void> {
  const { tasks } = source;
  return source.run({
    ready: () => true,
    existing() {},
    record({ thread, cpu, time }) {
      counts.records++;
      // The lookup writes every task that it meets into the recording: later the task may have ended.
      tasks(thread, cpu, time);
    },
    filteredRecord() {},
    malformedRecord() {},
    malformedPage() {},
    lost(_, count) {
      counts.lost += count;
    },
    host() {},
    advance() {},
  });
}
