/**
 * Knows which process each thread number stands for, and its name, at the moment of each record: it follows the kernel's
 * own records of new and renamed tasks, in the order of time, among the records that ask.
 *
 * What a record says of a thread holds until another record says otherwise, so a number that is used again is another
 * task. Nothing says that a thread has ended: it stays until its number is used again, or until so many others were used
 * since that it is forgotten. Then /proc is asked again.
 */
import type { TaskFollower } from '../decode/task-events.ts';
import { NO_PLACE, type Place } from './control-group.ts';
import { createRecentMap } from './recent-map.ts';
import { type Identity, idleTask, type Task, type TaskLookup, UNKNOWN_TASK } from './tasks.ts';

/** What /proc says of a thread. */
export interface ThreadFacts {
  readonly who: Identity;
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
  /** The same for the place of a process, which began at `since`. */
  readonly askPlace: (pid: number, since: number, time: number) => Place | null;
  readonly capacity?: number;
}

interface Entry {
  /** Its place is known only if `isPlaced`. */
  task: Task;
  isPlaced: boolean;
  readonly since: number;
  /** Losses before it was known; an entry of an earlier one has to be asked again. */
  losses: number;
  /** Of a process that a record told of: the one that made it. */
  readonly parent: number | null;
  /** Of a process, once it was asked for. */
  place: Place | null;
  /** It was called something else since. */
  mayHaveMoved: boolean;
}

/** Some 250 bytes each. Hosts with more threads ask /proc for those that are rarely seen. */
export const TASK_CAPACITY = 16_384;
/** How far a place is looked for among the ancestors of a process that has ended. */
const MAX_ANCESTORS = 8;
/** The unit of systemd itself, which puts each process that it makes into another one. */
const MANAGER_UNIT = 'init.scope';
/** A start that /proc tells is that of a record within this time, ns. */
const SAME_START_NS = 50e6;

const NO_FACTS: ThreadFacts = { who: UNKNOWN_TASK, since: Number.NEGATIVE_INFINITY };

function isSame({ task, since }: Entry, facts: ThreadFacts): boolean {
  const { pid, comm, isKernel } = facts.who;
  const isSameStart = since === facts.since || Math.abs(since - facts.since) < SAME_START_NS;
  return isSameStart && task.pid === pid && task.comm === comm && task.isKernel === isKernel;
}

export function createTaskTracker(options: TaskTrackerOptions): TaskTracker {
  const { ask, askPlace, capacity = TASK_CAPACITY } = options;
  const entries = createRecentMap<Entry>(capacity);
  let losses = 0;

  function set(thread: number, { who, since }: ThreadFacts, parent: number | null): Entry {
    const { pid, comm, isKernel } = who;
    const task = { pid, comm, isKernel, ...NO_PLACE };
    const entry: Entry = { task, isPlaced: false, since, losses, parent, place: null, mayHaveMoved: false };
    entries.set(thread, entry);
    return entry;
  }

  /** What is known of a thread, at least that nothing is. */
  function entryOf(thread: number, time: number): Entry {
    const found = entries.get(thread);
    if (found !== undefined && found.losses === losses) return found;
    const facts = ask(thread, time) ?? NO_FACTS;
    if (found === undefined || !isSame(found, facts)) return set(thread, facts, null);
    // The same object for the same task, because bytes are made of it once.
    found.losses = losses;
    return found;
  }

  /** The parent of a process, if its number still stands for it. */
  function parentOf({ parent, since }: Entry): Entry | null {
    const found = parent === null ? undefined : entries.get(parent);
    return found !== undefined && found.losses === losses && found.since <= since ? found : null;
  }

  /** Where the process of an entry belongs, or belonged its nearest ancestor that is still there. */
  function placeOf(entry: Entry, time: number, ancestors: number): Place {
    if (entry.place !== null && !entry.mayHaveMoved) return entry.place;
    const { pid, isKernel } = entry.task;
    if (pid === null || isKernel) return NO_PLACE;
    entry.place = askPlace(pid, entry.since, time) ?? entry.place ?? inheritedPlace(entry, time, ancestors);
    entry.mayHaveMoved = false;
    return entry.place;
  }

  function inheritedPlace(entry: Entry, time: number, ancestors: number): Place {
    const parent = parentOf(entry);
    if (parent === null || ancestors === 0) return NO_PLACE;
    const place = placeOf(parent, time, ancestors - 1);
    return place.unit === MANAGER_UNIT ? NO_PLACE : place;
  }

  function place(thread: number, entry: Entry, time: number): void {
    const { pid } = entry.task;
    const leader = pid === null || pid === thread ? entry : entryOf(pid, time);
    if (leader.since <= time) entry.task = { ...entry.task, ...placeOf(leader, time, MAX_ANCESTORS) };
    entry.isPlaced = true;
  }

  return {
    find(thread, cpu, time) {
      if (thread === 0) return idleTask(cpu);
      const entry = entryOf(thread, time);
      if (entry.since > time) return UNKNOWN_TASK;
      if (!entry.isPlaced) place(thread, entry, time);
      return entry.task;
    },
    prime(thread, facts) {
      set(thread, facts, null);
    },
    began(thread, creator, comm, isThread, time) {
      const { task, since } = entryOf(creator, time);
      const { pid, isKernel } = since <= time ? task : UNKNOWN_TASK;
      const who = { pid: isThread ? pid : thread, comm, isKernel };
      set(thread, { who, since: time }, isThread ? null : pid);
    },
    renamed(thread, renamer, comm) {
      const entry = entries.get(thread);
      // What is not known will be asked for, and then has this name.
      if (entry === undefined || entry.losses !== losses) return;
      // A kernel thread that names itself has become a process by exec (kernel/umh.c), or a worker that ends.
      if (entry.task.isKernel && thread === renamer) return entries.delete(thread);
      entry.task = { ...entry.task, comm };
      // Before exec, systemd and the runtimes of containers put a process where it belongs.
      entry.mayHaveMoved = true;
      entry.isPlaced = false;
    },
    lost() {
      losses++;
    },
  };
}
