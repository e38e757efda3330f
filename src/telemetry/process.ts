/** The agent's own costs: memory, CPU time, and how late its event loop runs. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ProcessStatus } from './snapshot.ts';

// Every sample wakes the process: Node.js' default of 10 ms costs an idle agent 0.6 % of a core, 250 ms cost 0.03 %.
const RESOLUTION_MS = 250;
const WINDOW_MS = 60_000;

export interface ProcessWatch {
  read(): ProcessStatus;
  close(): void;
}

/** Starts to measure the event loop; its delays are those of the last full minute and the running one. */
export function watchProcess(): ProcessWatch {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  let previous = { p99: 0, max: 0 };

  // The histogram has whole intervals between two samples: the part above RESOLUTION_MS is delay. An empty one has 0
  // as percentiles and its lowest or highest number as extremes.
  const delaySeconds = (intervalNs: number) =>
    histogram.count === 0 ? 0 : Math.max(0, intervalNs / 1e9 - RESOLUTION_MS / 1e3);
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
