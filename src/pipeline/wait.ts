/** Waits that can be ended early. */

/** Node.js fires a timer that is set for longer than this after 1 ms (its documentation of setTimeout). */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A wait that is under way. */
export interface Wait {
  /** Resolves when the time is over, or the wait was ended. */
  readonly over: Promise<void>;
  end(): void;
}

/** Waits for so many milliseconds at most; `end` and an abort of `stop` end the wait earlier. */
export function createWait(milliseconds: number, stop?: AbortSignal): Wait {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(end, Math.min(milliseconds, MAX_TIMER_MS));
  stop?.addEventListener('abort', end);

  function end(): void {
    clearTimeout(timer);
    stop?.removeEventListener('abort', end);
    resolve();
  }

  return { over: promise, end };
}

/** The pauses of a task that can be stopped. */
export interface Pauses {
  readonly isStopped: boolean;
  /** Resolves after so many milliseconds, or when the task is stopped. */
  pause(milliseconds: number): Promise<void>;
  /** Ends every pause. */
  stop(): void;
}

/** Pauses that last until `stop` at most. */
export function createPauses(): Pauses {
  const waits = new Set<Wait>();
  let isStopped = false;
  return {
    get isStopped() {
      return isStopped;
    },
    async pause(milliseconds) {
      const wait = createWait(milliseconds);
      waits.add(wait);
      await wait.over;
      waits.delete(wait);
    },
    stop() {
      isStopped = true;
      for (const wait of waits) wait.end();
    },
  };
}

/** The longest pause after the first failed attempt, and after any attempt. */
export interface BackOffLimits {
  readonly retryInitialMs: number;
  readonly retryMaxMs: number;
}

/**
 * Milliseconds until the next attempt, where `attempt` attempts were made after the first: exponential with full
 * jitter, so that the agents of a fleet do not all come back at the same moment.
 */
export function backOffMs({ retryInitialMs, retryMaxMs }: BackOffLimits, attempt: number): number {
  return Math.random() * Math.min(retryMaxMs, retryInitialMs * 2 ** Math.min(attempt, 20));
}
