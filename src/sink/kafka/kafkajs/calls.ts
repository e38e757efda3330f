/**
 * Calls of kafkajs with a deadline. A call fails at its deadline, and at once when kafkajs throws outside of every call
 * or when the client is retired. A call that takes long is logged.
 */
import type { SinkLog } from '../../sink-log.ts';
import { contain } from './containment.ts';

export interface Calls {
  /**
   * Runs `work`, one at a time. Rejects with its error, with the fault that kafkajs threw outside of every call, or at
   * the deadline. `what` names it in the log and in the error, such as `connecting`.
   */
  run<Result>(what: string, deadlineMs: number, work: () => Promise<Result>): Promise<Result>;
  /** Runs work outside of a call; what it throws later is handled too. */
  contain<Result>(work: () => Result): Result;
  /** Notes the last failure: it explains why a call takes long. */
  complain(complaint: string): void;
  /** Ends the call under way; from then on, faults of kafkajs are ignored. */
  retire(): void;
  readonly isRetired: boolean;
}

const SLOW_MS = 1_000;

export function createCalls(brokers: readonly string[], log: SinkLog): Calls {
  let isRetired = false;
  let complaint: string | null = null;
  /** Thrown by kafkajs outside of every call. Nothing is known about its state after that. */
  let fault: Error | null = null;
  let failCall: ((error: Error) => void) | null = null;

  function onFault(thrown: unknown): void {
    if (isRetired) return;
    log.error({ err: thrown }, 'kafkajs threw outside of any call, its client will be renewed');
    // The cause is only logged: inside kafkajs even a TypeError is a fault of the world to the agent.
    fault = new Error(`kafkajs failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    failCall?.(fault);
  }

  /** Logs a call that takes long, and its success after that. */
  function watchSlowness(what: string): { noteSuccess(): void; stop(): void } {
    const began = performance.now();
    let isSlow = false;
    const timer = setTimeout(() => {
      isSlow = true;
      const why = complaint === null ? '' : `: ${complaint}`;
      log.warn({ brokers, complaint }, `Kafka: ${what} takes more than ${SLOW_MS} ms${why}`);
    }, SLOW_MS);
    return {
      noteSuccess() {
        const waited_ms = Math.round(performance.now() - began);
        if (isSlow) log.info({ brokers, waited_ms }, `Kafka: ${what} done at last`);
      },
      stop: () => clearTimeout(timer),
    };
  }

  function missed(what: string, deadlineMs: number): Error {
    const last = complaint === null ? '' : `; last: ${complaint}`;
    return new Error(`${what} not done within ${Math.round(deadlineMs)} ms${last}`);
  }

  return {
    async run<Result>(what: string, deadlineMs: number, work: () => Promise<Result>) {
      complaint = null;
      const slowness = watchSlowness(what);
      const { promise: failed, reject } = Promise.withResolvers<never>();
      failCall = reject;
      const deadline = setTimeout(() => reject(missed(what, deadlineMs)), deadlineMs);
      try {
        if (fault !== null) throw fault;
        const result = await Promise.race([contain(onFault, work), failed]);
        slowness.noteSuccess();
        return result;
      } finally {
        failCall = null;
        clearTimeout(deadline);
        slowness.stop();
      }
    },
    contain: (work) => contain(onFault, work),
    complain(text) {
      complaint = text;
    },
    retire() {
      isRetired = true;
      failCall?.(new Error('given up while the sink was closed'));
    },
    get isRetired() {
      return isRetired;
    },
  };
}
