/** Reads the kernel's records of new and renamed tasks (include/trace/events/task.h; also in EL7's 3.10). */
import { type Result, refusal, success } from '../../shared/result.ts';
import { type EventFormat, offsetOf } from './format.ts';
import { ABSENT } from './record.ts';

/** The events, of the trace system `task`. */
export const TASK_EVENTS = ['task_newtask', 'task_rename'] as const;
export type TaskEvent = (typeof TASK_EVENTS)[number];

/** Hears of tasks in the order of time. Numbers are those of the initial pid namespace. */
export interface TaskFollower {
  /**
   * A thread has begun, with the name of the thread that made it.
   *
   * @param isThread it belongs to the process of its creator; otherwise it is a process of its own
   * @param time trace time, ns
   */
  began(thread: number, creator: number, comm: string, isThread: boolean, time: number): void;
  /** A thread has another name: by exec, or given by itself or by another thread. */
  renamed(thread: number, renamer: number, comm: string): void;
}

/** Reads the record at `at`, and tells the follower of it; false if the record is malformed. */
export type TaskEventReader = (
  follower: TaskFollower,
  bytes: Buffer,
  at: number,
  length: number,
  time: number,
) => boolean;

/** TASK_COMM_LEN (include/linux/sched.h). */
const NAME_BYTES = 16;
/** CLONE_THREAD (include/uapi/linux/sched.h). */
const THREAD_FLAG = 0x0001_0000;

/** EL7 records 16 bytes of a name that may be longer, and the kernel then keeps 15 of them (`set_task_comm`). */
function readName(bytes: Buffer, at: number): string {
  const last = at + NAME_BYTES - 1;
  let end = at;
  while (end < last && bytes[end] !== 0) end++;
  return bytes.toString('utf8', at, end);
}

/** Builds the reader of one of the events from its format. */
export function compileTaskEvent(event: TaskEvent, format: EventFormat): Result<TaskEventReader> {
  const byAt = offsetOf(format, 'common_pid', 4);
  const threadAt = offsetOf(format, 'pid', 4);
  const nameAt = offsetOf(format, event === 'task_newtask' ? 'comm' : 'newcomm', NAME_BYTES);
  const flagsAt = event === 'task_newtask' ? offsetOf(format, 'clone_flags', 8) : 0;
  if ([byAt, threadAt, nameAt, flagsAt].includes(ABSENT)) {
    return refusal(`event task:${event} of this kernel lacks fields`);
  }
  const minimum = Math.max(threadAt + 4, nameAt + NAME_BYTES, flagsAt + 8);
  if (event === 'task_rename') {
    return success((follower, bytes, at, length) => {
      if (length < minimum) return false;
      follower.renamed(
        bytes.readInt32LE(at + threadAt),
        bytes.readInt32LE(at + byAt),
        readName(bytes, at + nameAt),
      );
      return true;
    });
  }
  return success((follower, bytes, at, length, time) => {
    if (length < minimum) return false;
    const isThread = (bytes.readUInt32LE(at + flagsAt) & THREAD_FLAG) !== 0;
    follower.began(
      bytes.readInt32LE(at + threadAt),
      bytes.readInt32LE(at + byAt),
      readName(bytes, at + nameAt),
      isThread,
      time,
    );
    return true;
  });
}
