/** The memory of a process, by the kernel's account. */
import { readFileSync } from 'node:fs';

type MemoryField = 'VmRSS' | 'VmHWM';

/** Resident memory of a process, bytes: now (VmRSS) or at most so far (VmHWM, proc(5)). Throws where there is no such process. */
export function memoryOf(pid: number, field: MemoryField): number {
  return memoryIn(readFileSync(`/proc/${pid}/status`, 'utf8'), field);
}

/** The same from the text of /proc/PID/status. */
export function memoryIn(status: string, field: MemoryField): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
}
