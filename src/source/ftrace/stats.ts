/** Reads the kernel's counters of each CPU's buffer: per_cpu/cpuN/stats (kernel/trace/trace.c, `tracing_stats_read`). */
import { keepFile } from '../kept-open-file.ts';
import type { Instance } from './instance.ts';

export interface BufferStats {
  /** Records in the buffer that were not read yet, and their bytes. */
  readonly entries: number;
  readonly bytes: number;
  /** Records overwritten before they were read. */
  readonly overrun: number;
  /** Records for which the kernel had no space. */
  readonly dropped: number;
  /** Records that were read, by any process. */
  readonly read: number;
  /** Time of the trace clock in nanoseconds, exact to a microsecond; null if the kernel does not tell. */
  readonly now: bigint | null;
}

export interface StatsFiles {
  /** The counters of one CPU; null if it has none. */
  read(cpu: number): BufferStats | null;
  /** The sum of one counter over these CPUs. */
  total(counter: 'read' | 'entries', cpus: readonly number[]): number;
  close(): void;
}

/** Opens the counters of CPUs 0 … cpus - 1, including CPUs that are not online. */
export function openStats(instance: Instance, cpus: number): StatsFiles {
  const files = Array.from({ length: cpus }, (_, cpu) =>
    keepFile(`${instance.path}/per_cpu/cpu${cpu}/stats`, 'read'),
  );
  function read(cpu: number): BufferStats | null {
    const text = files[cpu]?.read();
    return text == null ? null : parseStats(text);
  }
  return {
    read,
    total: (counter, among) => among.reduce((sum, cpu) => sum + (read(cpu)?.[counter] ?? 0), 0),
    close() {
      for (const file of files) file?.close();
    },
  };
}

/** Whether the buffer has ever had a record. */
export function hasCounted(stats: BufferStats | null): boolean {
  return stats !== null && stats.entries + stats.overrun + stats.dropped + stats.read > 0;
}

/** Without regular expressions, which V8 forgets and compiles again. */
function parseStats(text: string): BufferStats {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) values.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const value = (name: string) => Number(values.get(name) ?? 0);
  return {
    entries: value('entries'),
    bytes: value('bytes'),
    overrun: value('overrun') + value('commit overrun'),
    dropped: value('dropped events'),
    read: value('read events'),
    now: parseSeconds(values.get('now ts')),
  };
}

/** Of `12.000345`, in nanoseconds; null of a clock that does not count seconds. */
function parseSeconds(text = ''): bigint | null {
  const [seconds = '', fraction] = text.split('.');
  if (fraction === undefined) return null;
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
}
