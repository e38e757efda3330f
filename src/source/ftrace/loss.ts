/** Counts what the kernel could not keep, to the unit. */
import type { CpuStatus, SourceLoss } from '../source.ts';
import type { Instance } from './instance.ts';
import type { StatsFiles } from './stats.ts';

export interface LossCounter {
  /** Reads every CPU's counters and tells what was lost since the last time; gives the kernel's count of records read. */
  read(onLoss: (reason: SourceLoss, records: number) => void): number;
  /** Every CPU's buffer at this moment. */
  status(): CpuStatus[];
}

/**
 * The kernel's counters run from the instance's beginning (`overrun`, `commit overrun`, `dropped events` of
 * per_cpu/cpuN/stats; kernel/trace/ring_buffer.c). Those of a taken-over instance start where they stand:
 * what was overwritten while nobody read is told by the marks of its first pages (live.ts).
 * `readMissed` counts for all users of the module together: a call that was missed is missed for all.
 */
export function createLossCounter(
  instance: Instance,
  cpus: number,
  stats: StatsFiles,
  readMissed: (() => number) | null,
): LossCounter {
  const start = Array.from({ length: cpus }, (_, cpu) => {
    const found = instance.takenOver ? stats.read(cpu) : null;
    return { overrun: found?.overrun ?? 0, dropped: found?.dropped ?? 0 };
  });
  const known = start.map((counters) => ({ ...counters }));
  let missedBefore = readMissed?.() ?? 0;
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
      // Loading the module anew begins at 0 again.
      if (missed > missedBefore) onLoss('probe_missed', missed - missedBefore);
      missedBefore = missed;
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
