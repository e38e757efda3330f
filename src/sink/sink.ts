/** The one interface between the pipeline and every destination of events. */
import type { RejectReason } from '../ledger/reasons.ts';
import type { Result } from '../shared/result.ts';
import type { Batch } from './batch.ts';

/** An event that the destination will never take. */
export interface Refusal {
  /** The position of the event in the batch. */
  readonly index: number;
  readonly reason: RejectReason;
}

/**
 * The result of sending a batch. Every event that is neither refused nor to be sent again is acknowledged: the
 * destination has it durably, by its own definition (Kafka: acks=all).
 */
export interface SendResult {
  readonly refused: readonly Refusal[];
  /** How many other events were refused by a destination that does not say which. They are not sent again either. */
  readonly refusedUnnamed?: { readonly count: number; readonly reason: RejectReason };
  readonly retry: Retry | null;
}

export interface Retry {
  /** Which events to send again: all that were not refused, or these. */
  readonly events: 'rest' | readonly number[];
  /** The pause that the destination asks for, in milliseconds; null leaves the pause to the pipeline. */
  readonly afterMs: number | null;
  /** One line for the log: what happened, where. */
  readonly reason: string;
}

/**
 * Whether a sink is ready to send. `mayPass` is false for a problem that only an operator can solve, such as a topic
 * that does not exist.
 */
export type Readiness = Result<void, { mayPass: boolean }>;

export function notReady(problem: string, mayPass: boolean): Readiness {
  return { ok: false, problem, mayPass };
}

export interface SinkSocket {
  readonly localPort: number;
  readonly remotePort: number;
}

export interface Sink {
  /** `kafka`, `file`, `stdout`: the name in the configuration, the log and the metrics. */
  readonly name: string;
  /** Makes the destination ready, or says why it is not. May be called again after a problem. */
  open(): Promise<Readiness>;
  /**
   * Tries what `send` will do, without sending an event; for `ktc check`, after `open`. A sink whose `open` has tried
   * everything has none.
   */
  probe?(): Promise<Readiness>;
  /** Never rejects for faults of the world: they are in the result. A rejection is a bug. */
  send(batch: Batch): Promise<SendResult>;
  /** Finishes the requests under way and releases everything. May be called twice. */
  close(): Promise<void>;
  /** The connections of the sink, so that the agent's own traffic makes no events. */
  readonly sockets?: () => readonly SinkSocket[];
}

/** The destination has the whole batch. */
export const ACKNOWLEDGED: SendResult = { refused: [], retry: null };

/** The destination has nothing of the batch yet. */
export function retryAll(reason: string, afterMs: number | null = null): SendResult {
  return { refused: [], retry: { events: 'rest', afterMs, reason } };
}
