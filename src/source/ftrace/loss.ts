/** Counts exactly which records the kernel could not keep. */
import type { CpuStatus, SourceLoss } from '../source.ts';
import type { Instance } from './instance.ts';
import type { StatsFiles } from './stats.ts';

export interface LossCounter {
  /**
   * Reads the counters of all CPUs and reports what was lost since the last call. Gives the kernel's count of records
   * read, the sum of all CPUs.
   */
  read(onLoss: (reason: SourceLoss, records: number) => void): number;
  /** The current state of every CPU's buffer. */
  status(): CpuStatus[];
}

/**
 * The kernel counts from the creation of the instance (`overrun`, `commit overrun`, `dropped events` of
 * per_cpu/cpuN/stats; kernel/trace/ring_buffer.c). In a taken-over instance only what comes from now on counts here:
 * the first pages tell how many records were overwritten before (`missedWhileDown`, see slices.ts), and the first
 * `read` reports them. `readMissed` counts for all users of the module together: a missed call is missed for all.
 */
export function createLossCounter(
  instance: Instance,
  cpus: number,
  stats: StatsFiles,
  readMissed: (() => number) | null,
  missedWhileDown: number,
): LossCounter {
  const start = Array.from({ length: cpus }, (_, cpu) => {
    const found = instance.takenOver ? stats.read(cpu) : null;
    return { overrun: found?.overrun ?? 0, dropped: found?.dropped ?? 0 };
  });
  const known = start.map((counters) => ({ ...counters }));
  let missedBefore = readMissed?.() ?? 0;
  let unreported = missedWhileDown;
  return {
    read(onLoss) {
      let readByKernel = 0;
      for (const [cpu, before] of known.entries()) {
        const found = stats.read(cpu);
        if (found === null) continue;
        if (found.overrun > before.overrun) onLoss('kernel_overrun', found.overrun - before.overrun);
        if (found.dropped > before.dropped) onLoss('kernel_dropped', found.dropped - before.dropped);
        before.overrun = found.overrun;
        before.dropped = found.dropped;
        readByKernel += found.read;
      }
      const missed = readMissed?.() ?? 0;
      // A module that is loaded again counts from 0.
      if (missed > missedBefore) onLoss('probe_missed', missed - missedBefore);
      missedBefore = missed;
      if (unreported > 0) onLoss('while_down', unreported);
      unreported = 0;
      return readByKernel;
    },
    status: () =>
      start.map((first, cpu) => {
        const found = stats.read(cpu);
        return {
          cpu,
          overrun: found === null ? 0 : found.overrun + found.dropped - first.overrun - first.dropped,
          unread_bytes: found?.bytes ?? null,
        };
      }),
  };
}
