/** Finds the process id and the name of a kernel thread, and remembers them, so that /proc is read rarely. */
import { readFileSync } from 'node:fs';
import type { KeptFile } from '../kept-open-file.ts';

export interface Task {
  /** The process (thread group), not the thread. */
  readonly pid: number;
  /** The kernel's name with invalid UTF-8 replaced; null if the task ended before its name could be read. */
  readonly comm: string | null;
}

/** Finds the task of a thread id of the kernel. `time` is a trace time in nanoseconds. */
export type TaskLookup = (thread: number, cpu: number, time: number) => Task;

const idleTasks: Task[] = [];

/** Threads that a lookup remembers. */
const CAPACITY = 4096;
/** Answers older than this are read again, because exec changes a name and the kernel reuses pids. */
const FRESH_NS = 5e9;

/** /proc/<pid>/status escapes line feeds and backslashes in names (fs/proc/array.c, `proc_task_name`). */
function unescapeName(name: string): string {
  return name.replaceAll(/\\(n|\\|[0-7]{3})/g, (_, code: string) =>
    code === 'n' ? '\n' : code === '\\' ? '\\' : String.fromCharCode(Number.parseInt(code, 8)),
  );
}

function readTask(thread: number): Task | null {
  try {
    const status = readFileSync(`/proc/${thread}/status`, 'utf8');
    const name = /^Name:\t(.*)$/m.exec(status)?.[1];
    const pid = /^Tgid:\t(\d+)$/m.exec(status)?.[1];
    if (name === undefined || pid === undefined) return null;
    return { pid: Number(pid), comm: unescapeName(name) };
  } catch {
    // The task has ended. The kernel's own list of names may still have it.
    return null;
  }
}

/** The last name of a task that has ended, in `saved_cmdlines`, where the kernel keeps names at context switches. */
function findSavedName(saved: KeptFile | null, thread: number): string | null {
  const lines = saved?.read()?.toString('latin1').split('\n') ?? [];
  const prefix = `${thread} `;
  const line = lines.find((candidate) => candidate.startsWith(prefix));
  return line === undefined ? null : Buffer.from(line.slice(prefix.length), 'latin1').toString('utf8');
}

/**
 * Creates a lookup in /proc with a bounded memory. `saved` is the kernel's `saved_cmdlines`. `onNew` is called for every
 * answer that was not remembered, so that a recording can keep it.
 */
export function createTaskLookup(
  saved: KeptFile | null,
  onNew?: (thread: number, task: Task) => void,
): TaskLookup {
  const known = new Map<number, { task: Task; readAt: number }>();
  return (thread, cpu, time) => {
    if (thread === 0) return idleTask(cpu);
    const found = known.get(thread);
    if (found !== undefined && time - found.readAt < FRESH_NS) return found.task;
    const task = readTask(thread) ?? found?.task ?? { pid: thread, comm: findSavedName(saved, thread) };
    if (found !== undefined && found.task.pid === task.pid && found.task.comm === task.comm) {
      found.readAt = time;
      return found.task;
    }
    if (known.size >= CAPACITY) {
      const oldest = known.keys().next().value;
      if (oldest !== undefined) known.delete(oldest);
    }
    known.set(thread, { task, readAt: time });
    onNew?.(thread, task);
    return task;
  };
}

/** The idle task of a CPU. It has no entry in /proc, and its name is fixed (kernel/sched/core.c, `init_idle`). */
export function idleTask(cpu: number): Task {
  let task = idleTasks[cpu];
  if (task === undefined) {
    task = { pid: 0, comm: `swapper/${cpu}` };
    idleTasks[cpu] = task;
  }
  return task;
}
