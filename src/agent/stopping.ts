/** How the agent stops: once, for whatever reason, and within `shutdown.timeout_s`. */
import { DONE, type Result, refusal } from '../shared/result.ts';
import type { Source } from '../source/source.ts';

export interface Stopping {
  /** Lets `stop` take effect. Stopped before it runs, a source could not give what the kernel already holds. */
  begin(): void;
  /** Stops the source, now or as soon as it runs. */
  stop(): void;
  /** Stops the source without waiting for room in the pipeline: only an operator can solve this problem. */
  giveUp(problem: string): void;
  /** Resolves when the source has stopped; stops it where nothing else has. */
  stopped(): Promise<void>;
  /** How long the delivery of what was read may still take, ms. */
  timeLeftMs(): number;
  /** The first problem that was given to `giveUp`, as a refusal. */
  result(): Result;
}

export interface StoppingOptions {
  readonly source: Pick<Source, 'stop'>;
  /** For reading what the kernel holds and for delivering it, both together, ms. */
  readonly timeoutMs: number;
  /** Called once, before the source is stopped. */
  readonly onStopping: () => void;
}

export function createStopping({ source, timeoutMs, onStopping }: StoppingOptions): Stopping {
  let isRunning = false;
  let isWanted = false;
  let stopping: Promise<void> | null = null;
  /** On the clock of `performance.now`. */
  let deadlineMs = Number.POSITIVE_INFINITY;
  let result: Result = DONE;

  function stopSource(): Promise<void> {
    if (stopping === null) {
      onStopping();
      deadlineMs = performance.now() + timeoutMs;
      stopping = source.stop(result.ok ? timeoutMs : 0);
    }
    return stopping;
  }

  return {
    begin() {
      isRunning = true;
      if (isWanted) void stopSource();
    },
    stop() {
      isWanted = true;
      if (isRunning) void stopSource();
    },
    giveUp(problem) {
      if (result.ok) result = refusal(problem);
      void stopSource();
    },
    stopped: stopSource,
    timeLeftMs: () => Math.max(0, deadlineMs - performance.now()),
    result: () => result,
  };
}
