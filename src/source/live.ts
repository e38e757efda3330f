/** Opens the parts that read a live instance, and closes them in the right order. */
import type { Result } from '../shared/result.ts';
import { createClearingDetector } from './ftrace/clearing.ts';
import type { Disturbances } from './ftrace/disturbances.ts';
import { createLossCounter } from './ftrace/loss.ts';
import type { Settings } from './ftrace/settings.ts';
import { createReading, type Reading } from './reading.ts';
import { openSlices, type SliceOptions } from './slices.ts';
import type { CpuStatus, LiveNews, RecordHandler } from './source.ts';

export interface LiveOptions extends SliceOptions {
  /** As in `KernelSourceOptions`. */
  readonly lingerMs: number;
  readonly settings: Settings;
  readonly disturbances: Disturbances;
  /** Reads how many calls the module's probes have missed so far; null without the module. */
  readonly readMissed: (() => number) | null;
  /** Removes the instance, whose files are closed by then. */
  readonly remove: () => Promise<Result>;
  readonly news: LiveNews;
}

export interface LiveReader {
  run(handler: RecordHandler): Promise<void>;
  /** As in `Source`. */
  stop(patienceMs?: number): Promise<void>;
  setLinger(milliseconds: number): void;
  /** Reads at once. */
  beat(): void;
  paused(): boolean;
  cpus(): CpuStatus[];
  /** Records of the instance that were given so far, by this reader and by earlier ones. */
  records(): number;
}

/** Throws the error of open(2) if the instance's files cannot be opened. */
export function createLiveReader(options: LiveOptions): LiveReader {
  const { instance, cpus, bufferKb, clock, stats, settings, disturbances, recording, tasks, news } = options;
  const total = (counter: 'read' | 'entries'): number => stats.total(counter, cpus.present());
  const readTotal = (): number => total('read');
  // Before a page is read.
  const readBefore = instance.takenOver ? readTotal() : 0;
  const slices = openSlices(options);
  const losses = createLossCounter(cpus, stats, options.readMissed);
  const clearing = createClearingDetector(readBefore, slices.streams, readTotal);
  let { lingerMs } = options;
  let reading: Reading | null = null;
  let ended = (): void => {};
  let stopping: Promise<void> | null = null;

  async function close(patienceMs: number): Promise<void> {
    if (reading !== null) {
      await reading.finish(patienceMs);
      ended();
    }
    settings.disableEvents();
    settings.close();
    disturbances.close();
    stats.close();
    await slices.close();
    const removed = await options.remove();
    if (!removed.ok) news.left(removed.problem);
  }

  /** A handler may call it within one of its own calls, so nothing is closed before that call has returned. */
  function stop(patienceMs = 0): Promise<void> {
    stopping ??= Promise.resolve().then(() => close(patienceMs));
    return stopping;
  }

  function endEarly(file: string): void {
    news.ended(`the kernel has no ${file} any more: was tcp_trace.ko unloaded by force?`);
    void stop();
  }

  return {
    run(handler) {
      if (stopping !== null) return stopping;
      const parts = {
        ...{ bufferKb, lingerMs, clock, total, settings, disturbances, recording },
        ...{ slices, losses, clearing, tasks },
      };
      return new Promise((resolve) => {
        ended = resolve;
        // Not before: what was read would be lost if this process were killed while it starts.
        if (instance.takenOver) losses.takeOver(slices.takeOver());
        reading = createReading(parts, handler, endEarly);
        reading.start();
      });
    },
    stop,
    setLinger(milliseconds) {
      lingerMs = milliseconds;
      reading?.setLinger(milliseconds);
    },
    beat: () => reading?.beat(),
    paused: () => reading?.isPaused ?? false,
    cpus: losses.status,
    records: () => clearing.records,
  };
}
