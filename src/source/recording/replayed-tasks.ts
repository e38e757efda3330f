/** The tasks of a recording: followed as when it was made, with the answers that /proc gave then. */
import { createTaskTracker, type ThreadFacts } from '../host/task-tracker.ts';
import { idleTask, type Task, type TaskLookup } from '../host/tasks.ts';
import type { StreamTasks } from '../merge.ts';
import type { RecordedTask } from './frame-reader.ts';

export interface ReplayedTasks extends StreamTasks {
  readonly find: TaskLookup;
  /** Takes what /proc said. It comes before the records that asked. */
  add(task: RecordedTask): void;
}

export function createReplayedTasks(): ReplayedTasks {
  /** By thread, in the order of time. */
  const answers = new Map<number, RecordedTask[]>();

  /** The last answer that was given by then. */
  function ask(thread: number, time: number): ThreadFacts | null {
    const ofThread = answers.get(thread) ?? [];
    while (ofThread[1] !== undefined && ofThread[1].time <= time) ofThread.shift();
    const first = ofThread[0];
    return first === undefined || first.time > time ? null : first.facts;
  }

  const tracker = createTaskTracker({ ask });
  return {
    ...tracker,
    add(task) {
      const { thread, time, facts } = task;
      if (time === Number.NEGATIVE_INFINITY && facts !== null) return tracker.prime(thread, facts);
      const ofThread = answers.get(thread);
      if (ofThread === undefined) answers.set(thread, [task]);
      else ofThread.push(task);
    },
  };
}

/** Of a recording whose writer did not know of task events: the last name that it has found of each thread. */
export function createFoundTasks(): ReplayedTasks {
  const found = new Map<number, Task>();
  return {
    find: (thread, cpu) =>
      thread === 0 ? idleTask(cpu) : (found.get(thread) ?? { pid: thread, comm: null, isKernel: false }),
    add({ thread, facts }) {
      if (facts !== null) found.set(thread, facts.task);
    },
    began() {},
    renamed() {},
    lost() {},
  };
}
