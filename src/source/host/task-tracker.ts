/**
 * Knows which process each thread number stands for, and its name, at the moment of each record: it follows the kernel's
 * own records of new and renamed tasks, in the order of time, among the records that ask.
 *
 * What a record says of a thread holds until another record says otherwise, so a number that is used again is another
 * task. Nothing says that a thread has ended: it stays until its number is used again, or until so many others were used
 * since that it is forgotten. Then /proc is asked again.
 */
import type { TaskFollower } from '../decode/task-events.ts';
import { createRecentMap } from './recent-map.ts';
import { idleTask, type Task, type TaskLookup, UNKNOWN_TASK } from './tasks.ts';

/** What /proc says of a thread. */
export interface ThreadFacts {
  readonly task: Task;
  /** The trace time since which its number stands for it, ns: an earlier record means another thread. */
  readonly since: number;
}

export interface TaskTracker extends TaskFollower {
  readonly find: TaskLookup;
  /** Takes what /proc said of a thread before the first record. */
  prime(thread: number, facts: ThreadFacts): void;
  /** Records were lost, or none tell of tasks: what is known so far is to be asked again. */
  lost(): void;
}

export interface TaskTrackerOptions {
  /** Asks /proc for a thread, for a record of that trace time; null if the thread has ended. */
  readonly ask: (thread: number, time: number) => ThreadFacts | null;
  readonly capacity?: number;
}

interface Entry extends ThreadFacts {
  task: Task;
  /** Losses before it was known; an entry of an earlier one has to be asked again. */
  readonly losses: number;
}

/** Some 200 bytes each. Hosts with more threads ask /proc for those that are rarely seen. */
export const TASK_CAPACITY = 16_384;

const NO_FACTS: ThreadFacts = { task: UNKNOWN_TASK, since: Number.NEGATIVE_INFINITY };

function isSame(one: Task, other: Task): boolean {
  return one.pid === other.pid && one.comm === other.comm && one.isKernel === other.isKernel;
}

export function createTaskTracker({ ask, capacity = TASK_CAPACITY }: TaskTrackerOptions): TaskTracker {
  const entries = createRecentMap<Entry>(capacity);
  let losses = 0;

  function set(thread: number, task: Task, since: number): Entry {
    const entry: Entry = { task, since, losses };
    entries.set(thread, entry);
    return entry;
  }

  function askAgain(thread: number, time: number, before: Entry | undefined): Entry {
    const { task, since } = ask(thread, time) ?? NO_FACTS;
    // The same object for the same task, because bytes are made of it once.
    return set(thread, before !== undefined && isSame(before.task, task) ? before.task : task, since);
  }

  function find(thread: number, cpu: number, time: number): Task {
    if (thread === 0) return idleTask(cpu);
    let entry = entries.get(thread);
    if (entry === undefined || entry.losses !== losses) entry = askAgain(thread, time, entry);
    return entry.since <= time ? entry.task : UNKNOWN_TASK;
  }

  return {
    find,
    prime(thread, { task, since }) {
      set(thread, task, since);
    },
    began(thread, creator, comm, isThread, time) {
      const { pid, isKernel } = find(creator, 0, time);
      set(thread, { pid: isThread ? pid : thread, comm, isKernel }, time);
    },
    renamed(thread, renamer, comm) {
      const entry = entries.get(thread);
      // What is not known will be asked for, and then has this name.
      if (entry === undefined || entry.losses !== losses) return;
      // A kernel thread that names itself has become a process by exec (kernel/umh.c), or a worker that ends.
      if (entry.task.isKernel && thread === renamer) entries.delete(thread);
      else entry.task = { ...entry.task, comm };
    },
    lost() {
      losses++;
    },
  };
}
