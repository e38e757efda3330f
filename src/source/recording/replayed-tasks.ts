/** The tasks of a recording: followed as when it was made, with the answers that /proc gave then. */
import { NO_PLACE } from '../host/control-group.ts';
import { createTaskTracker } from '../host/task-tracker.ts';
import { idleTask, type Task, type TaskLookup } from '../host/tasks.ts';
import type { StreamTasks } from '../merge.ts';
import type { RecordedTask } from './frame-reader.ts';
import type { PlaceFrame } from './recording.ts';

export interface ReplayedTasks extends StreamTasks {
  readonly find: TaskLookup;
  /** Take what /proc said. It comes before the records that asked. */
  add(task: RecordedTask): void;
  addPlace(place: PlaceFrame): void;
}

interface Answers<Answer> {
  add(number: number, answer: Answer): void;
  /** The last one for this number that was given by then. */
  find(number: number, time: number): Answer | null;
}

/** Answers come in the order of their times. */
function createAnswers<Answer extends { readonly time: number }>(): Answers<Answer> {
  const answers = new Map<number, Answer[]>();
  return {
    add(number, answer) {
      const given = answers.get(number);
      if (given === undefined) answers.set(number, [answer]);
      else given.push(answer);
    },
    find(number, time) {
      const given = answers.get(number) ?? [];
      while (given[1] !== undefined && given[1].time <= time) given.shift();
      const first = given[0];
      return first === undefined || first.time > time ? null : first;
    },
  };
}

export function createReplayedTasks(): ReplayedTasks {
  const threads = createAnswers<RecordedTask>();
  const places = createAnswers<PlaceFrame>();
  const tracker = createTaskTracker({
    ask: (thread, time) => threads.find(thread, time)?.facts ?? null,
    askPlace: (pid, _, time) => places.find(pid, time)?.place ?? null,
  });
  return {
    ...tracker,
    add(task) {
      const { thread, time, facts } = task;
      if (time === Number.NEGATIVE_INFINITY && facts !== null) tracker.prime(thread, facts);
      else threads.add(thread, task);
    },
    addPlace: (place) => places.add(place.pid, place),
  };
}

/** Of a recording whose writer did not know of task events: the last name that it has found of each thread. */
export function createFoundTasks(): ReplayedTasks {
  const found = new Map<number, Task>();
  return {
    find: (thread, cpu) =>
      thread === 0
        ? idleTask(cpu)
        : (found.get(thread) ?? { pid: thread, comm: null, isKernel: false, ...NO_PLACE }),
    add({ thread, facts }) {
      if (facts !== null) found.set(thread, { ...facts.who, ...NO_PLACE });
    },
    addPlace() {},
    began() {},
    renamed() {},
    lost() {},
  };
}
