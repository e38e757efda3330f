/** What the records' thread numbers stand for: processes, and their names. */

import { NO_PLACE, type Place } from './control-group.ts';

/** Who a thread is. */
export interface Identity {
  /** The process (thread group), not the thread; null where it is not known. */
  readonly pid: number | null;
  /** The thread's name in the kernel, invalid UTF-8 replaced; null where it is not known. */
  readonly comm: string | null;
  /** A thread of the kernel, which works for others: no connection is its own. */
  readonly isKernel: boolean;
}

/** A thread as it was at one moment, and where its process belongs. Never changed: another name is another object. */
export interface Task extends Identity, Place {}

/** Finds the task of a thread number of the kernel. `time` is that of the record which has the number, trace time in ns. */
export type TaskLookup = (thread: number, cpu: number, time: number) => Task;

export const UNKNOWN_TASK: Task = { pid: null, comm: null, isKernel: false, ...NO_PLACE };

const idleTasks: Task[] = [];

/** The idle task of a CPU. It has no entry in /proc, and its name is fixed (kernel/sched/core.c, `init_idle`). */
export function idleTask(cpu: number): Task {
  let task = idleTasks[cpu];
  if (task === undefined) {
    task = { pid: 0, comm: `swapper/${cpu}`, isKernel: true, ...NO_PLACE };
    idleTasks[cpu] = task;
  }
  return task;
}
