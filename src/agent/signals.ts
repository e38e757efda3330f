/** Signals that a session listens to. */

export type SignalListener = (signal: NodeJS.Signals) => void;

/**
 * Calls `listener` for each of these signals, which then no longer end the process. To be called before a session
 * opens anything: a signal that ended the process in between would leave the ftrace instance behind.
 *
 * @returns ends the listening
 */
export function onSignals(signals: readonly NodeJS.Signals[], listener: SignalListener): () => void {
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}

/**
 * A second signal within this time is the same wish: timeout(1) sends its signal to the process and then to the group of
 * the process (coreutils, src/timeout.c, `cleanup`), and an impatient key gives several.
 */
export const SAME_WISH_MS = 1000;

export interface StopListener {
  /** Somebody wishes the session to stop. */
  readonly first: SignalListener;
  /** And wishes it again, `SAME_WISH_MS` after that or later. */
  readonly again: SignalListener;
}

/** Signals come to the process as a whole, whatever session runs in it. */
let isWished = false;

/** Whether a signal has asked this process to stop: then it no longer waits for whoever reads its output. */
export function isStopWished(): boolean {
  return isWished;
}

/** Tells the first wish to stop from a second one. `now` gives milliseconds. */
export function createStopWishes(
  { first, again }: StopListener,
  now: () => number = () => performance.now(),
): SignalListener {
  let firstAt: number | null = null;
  return (signal) => {
    if (firstAt === null) {
      firstAt = now();
      isWished = true;
      first(signal);
    } else if (now() - firstAt >= SAME_WISH_MS) {
      again(signal);
    }
  };
}

/**
 * Aborts at the first SIGTERM or SIGINT. A second one ends the process at once, as without a listener.
 *
 * @returns the signal to wait for, and what ends the listening
 */
export function abortOnSignal(): {
  readonly signal: AbortSignal;
  readonly abort: () => void;
  readonly forget: () => void;
} {
  const stopping = new AbortController();
  const abort = () => stopping.abort();
  const wishes = createStopWishes({
    first: abort,
    again(signal) {
      forget();
      process.kill(process.pid, signal);
    },
  });
  const forget = onSignals(['SIGTERM', 'SIGINT'], wishes);
  return { signal: stopping.signal, abort, forget };
}
