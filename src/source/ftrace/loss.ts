/** Counts exactly which records the kernel could not keep. */
import type { CpuStatus, SourceLoss } from '../source.ts';
import type { BufferCpus } from './cpus.ts';
import type { BufferStats, StatsFiles } from './stats.ts';

export interface LossCounter {
  /** Of a taken-over instance, only what comes from now on counts, and what was overwritten while no agent read it. */
  takeOver(missedWhileDown: number): void;
  /**
   * Reads the counters of every CPU that is present and reports what was lost since the last call. Gives the kernel's count
   * of records read, the sum of all CPUs.
   */
  read(onLoss: (reason: SourceLoss, records: number) => void): number;
  /** The current state of the buffer of every CPU that is present. */
  status(): CpuStatus[];
}

/**
 * The kernel counts from the creation of the instance (`overrun`, `commit overrun`, `dropped events` of
 * per_cpu/cpuN/stats; kernel/trace/ring_buffer.c). Of what a taken-over instance has counted before, its first pages tell
 * what was overwritten (see slices.ts), and the next `read` reports it. `readMissed` counts for all users of the module together: a missed call is missed for all.
 */
export function createLossCounter(
  cpus: BufferCpus,
  stats: StatsFiles,
  readMissed: (() => number) | null,
): LossCounter {
  const start = new Map<number, Lost>();
  const known = new Map<number, Lost>();
  let missedBefore = readMissed?.() ?? 0;
  let unreported = 0;
  return {
    takeOver(missedWhileDown) {
      for (const cpu of cpus.present()) start.set(cpu, lostOf(stats.read(cpu)));
      unreported = missedWhileDown;
    },
    read(onLoss) {
      let readByKernel = 0;
      for (const cpu of cpus.present()) {
        const found = stats.read(cpu);
        if (found === null) continue;
        const { overrun, dropped } = known.get(cpu) ?? start.get(cpu) ?? NONE;
        if (found.overrun > overrun) onLoss('kernel_overrun', found.overrun - overrun);
        if (found.dropped > dropped) onLoss('kernel_dropped', found.dropped - dropped);
        known.set(cpu, lostOf(found));
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
      cpus.present().map((cpu) => {
        const found = stats.read(cpu);
        const first = start.get(cpu) ?? NONE;
        return {
          cpu,
          overrun: found === null ? 0 : found.overrun + found.dropped - first.overrun - first.dropped,
          unread_bytes: found?.bytes ?? null,
        };
      }),
  };
}

type Lost = Pick<BufferStats, 'overrun' | 'dropped'>;

const NONE: Lost = { overrun: 0, dropped: 0 };

function lostOf(found: BufferStats | null): Lost {
  return found === null ? NONE : { overrun: found.overrun, dropped: found.dropped };
}
