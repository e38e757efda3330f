/** Tasks by hand. */
import type { Task } from '../../src/source/host/tasks.ts';

/** A user's process without unit and container, unless `more` says otherwise. */
export function taskOf(pid: number | null, comm: string | null, more: Partial<Task> = {}): Task {
  return { pid, comm, isKernel: false, unit: null, containerId: null, ...more };
}
