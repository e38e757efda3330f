/** What the answer of a sink means for each event of a batch: acknowledged, refused, or to be sent again. */
import { acknowledge, reject } from '../ledger/booking.ts';
import type { SinkAccount } from '../ledger/ledger.ts';
import type { RejectReason } from '../ledger/reasons.ts';
import { type Batch, rangeOf, selectEvents } from '../sink/batch.ts';
import type { Refusal, Retry, SendResult } from '../sink/sink.ts';

/** What becomes of the events of a batch that was sent. */
export interface Settlement {
  /** Number of events that the destination has. */
  readonly acknowledged: number;
  /** Events that the sink will never take; where it does not say which it has refused, all that it may have. */
  readonly refused: readonly Refusal[];
  /** Events to send again, and how; null when every event is settled. */
  readonly again: { readonly batch: Batch; readonly retry: Retry } | null;
}

/** Sorts the events of a batch that was sent by what the sink answered. */
export function settlementOf(batch: Batch, result: SendResult): Settlement {
  const { refused, refusedUnnamed: unnamed, retry } = result;
  const rest = retry === null ? null : eventsToRetry(batch, refused, retry);
  return {
    acknowledged: batch.count - refused.length - (unnamed?.count ?? 0) - (rest?.count ?? 0),
    refused: unnamed ? refused.concat(suspectsOf(batch, result, unnamed.reason)) : refused,
    again: retry === null || rest === null ? null : { batch: rest, retry },
  };
}

/** Books what a sink answered: what is refused as rejected, what is acknowledged as delivered. */
export function bookAnswer(account: SinkAccount, result: SendResult, { acknowledged }: Settlement): void {
  const { refused, refusedUnnamed: unnamed } = result;
  for (const { reason } of refused) reject(account, reason, 1);
  if (unnamed) reject(account, unnamed.reason, unnamed.count);
  acknowledge(account, acknowledged);
}

function eventsToRetry(batch: Batch, refused: readonly Refusal[], { events }: Retry): Batch | null {
  if (events === 'rest' && refused.length === 0) return batch;
  const indexes = events === 'rest' ? othersOf(batch, placesOf(refused)) : events;
  return indexes.length === 0 ? null : selectEvents(batch, indexes);
}

/** Every event that the destination may have refused, where it does not say which. */
function suspectsOf(batch: Batch, { refused, retry }: SendResult, reason: RejectReason): Refusal[] {
  const retried = retry === null || retry.events === 'rest' ? [] : retry.events;
  return othersOf(batch, [...placesOf(refused), ...retried]).map((index) => ({ index, reason }));
}

function placesOf(refused: readonly Refusal[]): number[] {
  return refused.map(({ index }) => index);
}

/** The places of a batch that are not among these. */
function othersOf(batch: Batch, indexes: readonly number[]): number[] {
  const known = new Set(indexes);
  return rangeOf(0, batch.count).filter((index) => !known.has(index));
}
