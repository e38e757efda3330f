/** The kernel's own counters of each CPU's buffer. */
import { keepFile } from '../kept-open-file.ts';
import type { Instance } from './instance.ts';

export interface BufferStats {
  /** Records in the buffer, not read yet, and their bytes. */
  readonly entries: number;
  readonly bytes: number;
  /** Records overwritten before they were read. */
  readonly overrun: number;
  /** Records the kernel had no room for. */
  readonly dropped: number;
  /** Records that were read, by whomever. */
  readonly read: number;
  /** The trace clock, ns. */
  readonly now: bigint;
}

export interface StatsFiles {
  /** Reads per_cpu/cpuN/stats; null when the CPU has none. */
  read(cpu: number): BufferStats | null;
  close(): void;
}

/** Opens the counters of CPUs 0 … cpus - 1, those that are not online included. */
export function openStats(instance: Instance, cpus: number): StatsFiles {
  const files = Array.from({ length: cpus }, (_, cpu) =>
    keepFile(`${instance.path}/per_cpu/cpu${cpu}/stats`, 'read'),
  );
  return {
    read(cpu) {
      const text = files[cpu]?.read();
      return text == null ? null : parseStats(text.toString('latin1'));
    },
    close() {
      for (const file of files) file?.close();
    },
  };
}

function parseStats(text: string): BufferStats {
  const value = (name: string) => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)?.[1] ?? 0);
  const [, seconds = '0', fraction = '0'] = /^now ts: *(\d+)\.(\d+)/m.exec(text) ?? [];
  return {
    entries: value('entries'),
    bytes: value('bytes'),
    overrun: value('overrun') + value('commit overrun'),
    dropped: value('dropped events'),
    read: value('read events'),
    now: BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0')),
  };
}
