/**
 * Reads what /proc says of a thread. A process chooses its own name, any bytes but NUL, so everything is found by its
 * position: no byte of a name can end a field or begin another one.
 */
import { readdirSync } from 'node:fs';
import { isSystemError } from '../../shared/errors.ts';
import { tryReadFile, tryReadText } from '../../shared/try-read.ts';
import type { Identity } from './tasks.ts';

export interface ProcThread {
  readonly who: Identity & { readonly pid: number };
  /** When it began, in clock ticks since the boot, suspended time included; there are `TICKS_PER_SECOND`. */
  readonly startTicks: number;
}

/** USER_HZ (include/asm-generic/param.h). */
export const TICKS_PER_SECOND = 100;

/** PF_KTHREAD (include/linux/sched.h), the same bit since 2.6.27. */
const KERNEL_THREAD = 0x0020_0000;
/** Fields of /proc/TID/stat behind the name (Documentation/filesystems/proc.rst): flags is the 9th, starttime the 22nd. */
const FIRST_FIELD = 3;
const FLAGS_FIELD = 9;
const START_FIELD = 22;

const WORKER = 'kworker/';
/** Rescuers, since Linux 6.8: their own name has a dash. */
const RESCUER = 'kworker/R-';

/** TASK_COMM_LEN (include/linux/sched.h) without the NUL. */
const NAME_LENGTH = 15;

/**
 * /proc adds to a worker's name what it works on at the moment (since Linux 4.18, `wq_worker_comm`), and tells long names of
 * kernel threads whole (since 5.17); records have neither.
 */
function kernelName(name: string): string {
  const end = name.startsWith(WORKER) && !name.startsWith(RESCUER) ? name.search(/[+-]/) : -1;
  return name.slice(0, end === -1 ? NAME_LENGTH : end);
}

/**
 * Parses /proc/TID/stat of a thread of process `pid`; null if the text is not one. The name is not escaped there, and
 * behind its closing parenthesis are only numbers and the letter of the state (fs/proc/array.c, `do_task_stat`).
 */
export function parseStat(stat: Buffer, pid: number): ProcThread | null {
  const open = stat.indexOf('(');
  const close = stat.lastIndexOf(')');
  if (open === -1 || close < open) return null;
  const fields = stat.toString('latin1', close + 2).split(' ');
  const flags = Number(fields[FLAGS_FIELD - FIRST_FIELD]);
  const startTicks = Number(fields[START_FIELD - FIRST_FIELD]);
  if (!Number.isInteger(flags) || !Number.isInteger(startTicks)) return null;
  const name = stat.toString('utf8', open + 1, close);
  const isKernel = (flags & KERNEL_THREAD) !== 0;
  return { who: { pid, comm: isKernel ? kernelName(name) : name, isKernel }, startTicks };
}

/**
 * A number of /proc/PID/status; null if it has no such line. The kernel writes the line feed of a name as `\n`
 * (`proc_task_name`), so the first real one ends the name, and what begins a line is the kernel's own.
 */
export function parseStatusNumber(status: Buffer, name: 'Tgid' | 'Uid'): number | null {
  const label = `\n${name}:\t`;
  const at = status.indexOf(label);
  if (at === -1) return null;
  const value = Number.parseInt(status.toString('latin1', at + label.length, at + label.length + 12), 10);
  return Number.isNaN(value) ? null : value;
}

/** Reads a thread of a process; null if it has ended. */
export function readThreadOf(pid: number, thread: number): ProcThread | null {
  // The file of the thread, because that of the process adds up the times of all its threads.
  const stat = tryReadFile(`/proc/${pid}/task/${thread}/stat`);
  return stat === null ? null : parseStat(stat, pid);
}

/** Reads a thread of which only the number is known; null if it has ended. */
export function readThread(thread: number): ProcThread | null {
  const status = tryReadFile(`/proc/${thread}/status`);
  const pid = status === null ? null : parseStatusNumber(status, 'Tgid');
  return pid === null ? null : readThreadOf(pid, thread);
}

/** The name of a process; null if it has ended. */
export function readComm(pid: number | 'self'): string | null {
  // The line feed is not part of the name.
  return tryReadText(`/proc/${pid}/comm`)?.slice(0, -1) ?? null;
}

function listNumbers(directory: string): number[] {
  try {
    return readdirSync(directory).flatMap((name) => {
      const number = Number(name);
      return Number.isInteger(number) ? [number] : [];
    });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return [];
  }
}

/** Reads every thread of the host, but no more than `limit`: some 20 µs each. */
export function readAllThreads(limit: number): Map<number, ProcThread> {
  const threads = new Map<number, ProcThread>();
  for (const pid of listNumbers('/proc')) {
    for (const thread of listNumbers(`/proc/${pid}/task`)) {
      if (threads.size >= limit) return threads;
      const found = readThreadOf(pid, thread);
      if (found !== null) threads.set(thread, found);
    }
  }
  return threads;
}
