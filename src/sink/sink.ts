/** The one interface between the pipeline and every destination of events. */
import type { RejectReason } from '../ledger/reasons.ts';
import type { Result } from '../shared/result.ts';
import type { Batch } from './batch.ts';

/** An event that the destination will never take. */
export interface Refusal {
  /** The event's place in the batch. */
  readonly index: number;
  readonly reason: RejectReason;
}

/**
 * What became of a batch. Every event that is neither refused nor to be retried is acknowledged:
 * the destination has it durably, by its own definition (Kafka: acks=all).
 */
export interface SendResult {
  readonly refused: readonly Refusal[];
  /** So many more of the events that are not to be retried, refused by a destination that does not say which. */
  readonly refusedUnnamed?: { readonly count: number; readonly reason: RejectReason };
  readonly retry: Retry | null;
}

export interface Retry {
  /** Which events to send again: all that were not refused, or these. */
  readonly events: 'rest' | readonly number[];
  /** The destination's own wish in milliseconds; null leaves the back-off to the pipeline. */
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
  /** Never rejects for faults of the world: these are results. A rejection is a bug. */
  send(batch: Batch): Promise<SendResult>;
  /** Finishes what is under way and lets go of everything; safe to call twice. */
  close(): Promise<void>;
  /** The sink's own sockets, so that its traffic never makes events. */
  readonly sockets?: () => readonly SinkSocket[];
}

/** All of it is there. */
export const ACKNOWLEDGED: SendResult = { refused: [], retry: null };

/** Nothing of it is there yet. */
export function retryAll(reason: string, afterMs: number | null = null): SendResult {
  return { refused: [], retry: { events: 'rest', afterMs, reason } };
}
