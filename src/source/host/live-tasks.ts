/** Follows the tasks of this host: the kernel's records of them, and /proc for what those do not tell. */
import { uptime } from 'node:os';
import type { TraceClock } from '../clock.ts';
import type { RecordingWriter } from '../recording/recording.ts';
import { type Place, readPlace } from './control-group.ts';
import { isInitialPidNamespace } from './pid-namespace.ts';
import { type ProcThread, readComm, readThread, readThreadOf, TICKS_PER_SECOND } from './proc-thread.ts';
import { createTaskTracker, type TaskTracker, type ThreadFacts } from './task-tracker.ts';

const NS_PER_SECOND = 1e9;
/** /proc gives the start of a thread and the time since the boot in steps of 10 ms. */
const START_SLACK_NS = 20e6;

export interface LiveTasksOptions {
  readonly clock: Pick<TraceClock, 'now'>;
  /** Threads that were there before any connection was recorded. */
  readonly threads: ReadonlyMap<number, ProcThread>;
  /** The number that records have for this process. */
  readonly ownPid: number;
  /** Keeps every answer of /proc. */
  readonly recording: Pick<RecordingWriter, 'task' | 'place'> | undefined;
}

/** Asks for what belongs to the numbers of records; null for what is not there any more. */
interface Answers {
  thread(thread: number): ThreadFacts | null;
  /** Of a process that began at this trace time: a later one with its number is another. */
  place(pid: number, since: number): Place | null;
}

export function createLiveTasks({ clock, threads, ownPid, recording }: LiveTasksOptions): TaskTracker {
  const answers = isInitialPidNamespace() ? createProcAnswers(clock) : createOwnAnswers(ownPid);
  const tracker = createTaskTracker({
    ask(thread, time) {
      const facts = answers.thread(thread);
      recording?.task(thread, time, facts);
      return facts;
    },
    askPlace(pid, since, time) {
      const place = answers.place(pid, since);
      recording?.place(pid, time, place);
      return place;
    },
  });
  const boot = bootTime(clock);
  for (const [thread, found] of threads) {
    const facts = factsOf(found, boot);
    recording?.task(thread, null, facts);
    tracker.prime(thread, facts);
  }
  return tracker;
}

/** The trace time of the boot. Each suspend moves it, because the trace clock stands still meanwhile. */
function bootTime(clock: Pick<TraceClock, 'now'>): number {
  return clock.now() - uptime() * NS_PER_SECOND;
}

function factsOf({ who, startTicks }: ProcThread, boot: number): ThreadFacts {
  return { who, since: boot + (startTicks / TICKS_PER_SECOND) * NS_PER_SECOND - START_SLACK_NS };
}

function createProcAnswers(clock: Pick<TraceClock, 'now'>): Answers {
  return {
    thread(thread) {
      const found = readThread(thread);
      return found === null ? null : factsOf(found, bootTime(clock));
    },
    place(pid, since) {
      const found = readThreadOf(pid, pid);
      return found === null || factsOf(found, bootTime(clock)).since > since ? null : readPlace(pid);
    },
  };
}

/** Of this process alone: in another pid namespace, /proc has other numbers than records. */
function createOwnAnswers(ownPid: number): Answers {
  return {
    thread(thread) {
      if (thread !== ownPid) return null;
      return {
        who: { pid: ownPid, comm: readComm('self'), isKernel: false },
        since: Number.NEGATIVE_INFINITY,
      };
    },
    place: (pid) => (pid === ownPid ? readPlace(process.pid) : null),
  };
}
