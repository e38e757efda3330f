/** Decides when a live source polls: often while records come, and not at all while none come. */
import type { Ring } from './ftrace/ring.ts';

/** Events are to be in user space 50 ms after the kernel recorded them. The rest is for the reading itself. */
const POLL_MS = 30;
/** Polls without a record after which the source waits instead. */
const POLLS_BEFORE_WAIT = 4;
/** While it waits, it polls once more after this time, for records that connection tracking holds for a time. */
const LAST_POLL_MS = 2_000;
/**
 * And again and again after this time, because nobody may be told of a record: a CPU that came online has not been
 * waited for, and the kernel may end a wait without a record.
 */
const LOOK_MS = 5_000;

/** What a poll found: more than it has read, some records or a full pipeline, or nothing. */
export type Found = 'more' | 'some' | 'nothing';

export interface Poller {
  /** Polls at once, and then again and again. */
  start(): void;
  /** No poll begins after this call. */
  stop(): void;
}

/** `wait` calls its argument once, when there are records; false if it cannot wait. */
export function createPoller(poll: () => Found, wait: Ring['wait']): Poller {
  let idlePolls = 0;
  let isStopped = false;
  let cancelNext = (): void => {};

  function pollLater(milliseconds: number): void {
    const timer = setTimeout(pollNow, milliseconds);
    cancelNext = () => clearTimeout(timer);
  }

  function pollInNextTurn(): void {
    const timer = setImmediate(pollNow);
    cancelNext = () => clearImmediate(timer);
  }

  function pollNow(): void {
    const found = poll();
    if (isStopped) return;
    if (found === 'more') return pollInNextTurn();
    idlePolls = found === 'nothing' ? idlePolls + 1 : 0;
    if (idlePolls < POLLS_BEFORE_WAIT || !waitForRecords()) pollLater(POLL_MS);
  }

  function waitForRecords(): boolean {
    cancelNext = () => {};
    const isWaiting = wait(() => {
      if (isStopped) return;
      cancelNext();
      idlePolls = 0;
      pollLater(0);
    });
    if (isWaiting) pollLater(idlePolls === POLLS_BEFORE_WAIT ? LAST_POLL_MS : LOOK_MS);
    return isWaiting;
  }

  return {
    start: pollNow,
    stop() {
      isStopped = true;
      cancelNext();
    },
  };
}
