/** The agent's own costs: memory, CPU time, and how late its event loop runs. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ProcessStatus } from './snapshot.ts';

/**
 * Since Node.js 26.5 each turn of the event loop can be measured, and nothing has to wake the process for it. An older one
 * does not know this and takes samples by a timer: its default of 10 ms costs an idle agent 0.6 % of a core, 250 ms cost
 * 0.03 %.
 */
const RESOLUTION_MS = 250;
const SAMPLING = { samplePerIteration: true, resolution: RESOLUTION_MS };
const WINDOW_MS = 60_000;

export interface ProcessWatch {
  read(): ProcessStatus;
  close(): void;
}

/** Starts to measure the event loop; its delays are those of the last full minute and the running one. */
export function watchProcess(): ProcessWatch {
  const histogram = monitorEventLoopDelay(SAMPLING);
  histogram.enable();
  let previous = { p99: 0, max: 0 };

  // A timer's samples are whole intervals: the part above RESOLUTION_MS is delay. An empty histogram has 0 as percentiles
  // and its lowest or highest number as extremes.
  const intervalMs = measuresTurns(process.versions.node) ? 0 : RESOLUTION_MS;
  const delaySeconds = (nanoseconds: number) =>
    histogram.count === 0 ? 0 : Math.max(0, nanoseconds / 1e9 - intervalMs / 1e3);
  const current = () => ({ p99: delaySeconds(histogram.percentile(99)), max: delaySeconds(histogram.max) });

  const rotation = setInterval(() => {
    previous = current();
    histogram.reset();
  }, WINDOW_MS).unref();

  return {
    read() {
      const { user, system } = process.cpuUsage();
      const { p99, max } = current();
      return {
        rss_bytes: process.memoryUsage.rss(),
        cpu_seconds: (user + system) / 1e6,
        event_loop_delay_p99_s: Math.max(previous.p99, p99),
        event_loop_delay_max_s: Math.max(previous.max, max),
      };
    },
    close() {
      clearInterval(rotation);
      histogram.disable();
    },
  };
}

/** Whether this version of Node.js knows `samplePerIteration`, which an older one ignores without a word. */
function measuresTurns(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 26 || (major === 26 && minor >= 5);
}
