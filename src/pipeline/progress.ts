/** What a delivery reports about itself. */

/**
 * `opening`: the sink is not ready yet; `retrying`: batches are sent again; `failed`: only an operator can solve the
 * problem.
 */
export type DeliveryState = 'opening' | 'ready' | 'retrying' | 'failed';

/** The state of a delivery for the status page and the metrics. */
export interface DeliveryStatus {
  readonly state: DeliveryState;
  readonly problem: string | null;
  /** Batches of which events were acknowledged. */
  readonly batchesSent: number;
  readonly retries: number;
  /** Batches that may be in flight at a time now. */
  readonly window: number;
  /** Milliseconds since 1970, or null. */
  readonly lastAcknowledged: number | null;
}

/** Keeps the state of a delivery and counts what it did. */
export interface Progress {
  readonly state: DeliveryState;
  /** The sink takes batches. */
  becomeReady(): void;
  /** Nothing can be sent until an operator has solved the problem. */
  fail(problem: string): void;
  /** An attempt to open the sink or to send a batch failed, and another one follows. */
  noteFault(reason: string): void;
  /** Events of a batch were acknowledged at `nowMs`, milliseconds since 1970. */
  noteAcknowledged(nowMs: number): void;
  status(): Omit<DeliveryStatus, 'window'>;
}

/** The progress of a delivery whose sink is not open yet. */
export function createProgress(): Progress {
  let state: DeliveryState = 'opening';
  let problem: string | null = null;
  let batchesSent = 0;
  let retries = 0;
  let lastAcknowledged: number | null = null;
  return {
    get state() {
      return state;
    },
    becomeReady() {
      state = 'ready';
      problem = null;
    },
    fail(reason) {
      state = 'failed';
      problem = reason;
    },
    noteFault(reason) {
      if (state === 'ready') state = 'retrying';
      problem = reason;
      retries++;
    },
    noteAcknowledged(nowMs) {
      batchesSent++;
      lastAcknowledged = nowMs;
    },
    status: () => ({ state, problem, batchesSent, retries, lastAcknowledged }),
  };
}
