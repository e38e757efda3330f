/** The memory of a process, by the kernel's account. */
import { readFileSync } from 'node:fs';

/** Resident memory of a process, bytes: now (VmRSS) or at most so far (VmHWM, proc(5)). Throws where there is no such process. */
export function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
}
