/** A session that only records: no events, no sinks. */
import type { AgentConfig } from '../config/schema.ts';
import { createRecording } from '../source/recording/recording.ts';
import type { Source } from '../source/source.ts';
import { NO_NEWS, openSource } from './assembly/source.ts';

export interface RecordOptions {
  readonly config: AgentConfig;
  readonly path: string;
  /** May be Infinity: until a signal comes. */
  readonly seconds: number;
}

export type RecordEnd =
  | {
      readonly kind: 'done';
      readonly records: number;
      readonly pages: number;
      readonly lost: number;
      readonly bytes: number;
    }
  | { readonly kind: 'unavailable' | 'not_permitted' | 'io'; readonly problem: string };

export async function recordSession({ config, path, seconds }: RecordOptions): Promise<RecordEnd> {
  let source: Source | null = null;
  let stopped = false;
  const stop = (): void => {
    stopped = true;
    void source?.stop();
  };
  const created = createRecording(path, stop);
  if (!created.ok) return { kind: 'io', problem: created.problem };
  const recording = created.value;
  // Before the source is opened: a signal in between would leave its ftrace instance behind.
  process.on('SIGTERM', stop).on('SIGINT', stop);
  let ended: string | null = null;
  const news = {
    ...NO_NEWS,
    ended(problem: string) {
      ended = problem;
    },
  };
  const opened = await openSource(config, news, { recording });
  if (!opened.ok) {
    return { kind: opened.permission === true ? 'not_permitted' : 'unavailable', problem: opened.problem };
  }
  source = opened.value;
  const { tasks } = source;
  let records = 0;
  let lost = 0;
  const timer = Number.isFinite(seconds) ? setTimeout(stop, seconds * 1000) : null;
  const reading = source.run({
    ready: () => true,
    existing() {},
    record({ thread, cpu, time }) {
      records++;
      // The lookup writes every task it meets into the recording: later it cannot be asked any more.
      tasks(thread, cpu, time);
    },
    malformedRecord() {},
    malformedPage() {},
    lost(_, count) {
      lost += count;
    },
    advance() {},
  });
  if (stopped) stop();
  await reading;
  await source.stop();
  if (timer !== null) clearTimeout(timer);
  process.off('SIGTERM', stop).off('SIGINT', stop);
  const { pages, bytes, problem } = recording.close();
  if (problem !== null) return { kind: 'io', problem: `${path} ends after ${bytes} bytes: ${problem}` };
  if (ended !== null) return { kind: 'unavailable', problem: ended };
  return { kind: 'done', records, lost, pages, bytes };
}
