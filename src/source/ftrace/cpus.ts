/** The CPUs whose ring buffers are worth a system call. */
import { isSystemError } from '../../shared/errors.ts';
import { onlineCpus } from './instance.ts';

/**
 * A host may have far fewer CPUs than its kernel is prepared for: virtual machines are often prepared for 96 or more. The
 * kernel makes a CPU's buffer when the CPU comes online, and keeps it when the CPU goes offline (kernel/trace/ring_buffer.c,
 * `trace_rb_cpu_prepare`). So only these CPUs have anything to read, and only their buffers take memory.
 */
export interface BufferCpus {
  /** How many CPUs the kernel is prepared for, numbered from 0. Each has files in the instance. */
  readonly possible: number;
  /** The CPUs that have been online since the instance was opened, or whose counters were not 0 then; by rising number. */
  present(): readonly number[];
}

/** Null while it cannot be read, for lack of a descriptor. */
function readOnline(): readonly number[] | null {
  try {
    return onlineCpus();
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return null;
  }
}

/** `hasCounted` is asked once for each CPU: one that is offline now may have left records. */
export function createBufferCpus(
  possible: number,
  hasCounted: (cpu: number) => boolean,
  online: () => readonly number[] | null = readOnline,
): BufferCpus {
  const found = new Set(Array.from({ length: possible }, (_, cpu) => cpu).filter(hasCounted));
  let present: readonly number[] = [];
  return {
    possible,
    present() {
      if (present.length === possible) return present;
      for (const cpu of online() ?? []) if (cpu < possible) found.add(cpu);
      if (found.size !== present.length) present = [...found].sort((one, other) => one - other);
      return present;
    },
  };
}
