/** Follows the tasks of this host: the kernel's records of them, and /proc for those that are older. */
import { uptime } from 'node:os';
import type { TraceClock } from '../clock.ts';
import type { RecordingWriter } from '../recording/recording.ts';
import { isInitialPidNamespace } from './pid-namespace.ts';
import { type ProcThread, readProcFile, readThread, TICKS_PER_SECOND } from './proc-thread.ts';
import { createTaskTracker, type TaskTracker, type ThreadFacts } from './task-tracker.ts';
import type { Task } from './tasks.ts';

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
  readonly recording: Pick<RecordingWriter, 'task'> | undefined;
}

export function createLiveTasks({ clock, threads, ownPid, recording }: LiveTasksOptions): TaskTracker {
  /** The trace time of the boot. Each suspend moves it, because the trace clock stands still meanwhile. */
  const bootTime = (): number => clock.now() - uptime() * NS_PER_SECOND;

  function factsOf({ task, startTicks }: ProcThread, boot: number): ThreadFacts {
    return { task, since: boot + (startTicks / TICKS_PER_SECOND) * NS_PER_SECOND - START_SLACK_NS };
  }

  function readFacts(thread: number): ThreadFacts | null {
    const found = readThread(thread);
    return found === null ? null : factsOf(found, bootTime());
  }

  /** Of this process alone: in another pid namespace, /proc has other numbers than records. */
  function readOwnFacts(thread: number): ThreadFacts | null {
    return thread === ownPid ? { task: ownTask(ownPid), since: Number.NEGATIVE_INFINITY } : null;
  }

  const read = isInitialPidNamespace() ? readFacts : readOwnFacts;
  const tracker = createTaskTracker({
    ask(thread, time) {
      const facts = read(thread);
      recording?.task(thread, time, facts);
      return facts;
    },
  });
  const boot = bootTime();
  for (const [thread, found] of threads) {
    const facts = factsOf(found, boot);
    recording?.task(thread, null, facts);
    tracker.prime(thread, facts);
  }
  return tracker;
}

function ownTask(pid: number): Task {
  // The line feed is not part of the name.
  return {
    pid,
    comm: readProcFile('/proc/self/comm')?.toString('utf8').slice(0, -1) ?? null,
    isKernel: false,
  };
}
