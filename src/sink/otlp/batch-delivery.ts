/** Delivers one batch to a receiver of OTLP, in requests by size. A request that is too large is sent in halves. */
import { type Batch, rangeOf } from '../batch.ts';
import type { Notice } from '../notice.ts';
import type { Refusal, Retry, SendResult } from '../sink.ts';
import type { Verdict } from './answer/verdict.ts';
import type { Encoder } from './encode/encode.ts';
import type { Transport } from './transport.ts';

export interface BatchDeliveryOptions {
  readonly encoder: Encoder;
  readonly transport: Pick<Transport, 'send'>;
  /** The receiver as the log names it. */
  readonly where: string;
  readonly notice: Notice;
}

/** Bytes of event JSON in one request. Receivers of gRPC take 4 MiB by default. */
const MAX_REQUEST_BYTES = 2 ** 21;

/** Sends requests until one has to be sent again; that one and the rest of the batch are given back. */
export async function deliverBatch(
  batch: Batch,
  { encoder, transport, where, notice }: BatchDeliveryOptions,
): Promise<SendResult> {
  const refused: Refusal[] = [];
  /** How many events were refused by a receiver that does not say which. */
  let unnamed = 0;

  /** Null when every event of the range is acknowledged or refused, else what has to be sent again, and why. */
  async function deliverRange(from: number, to: number): Promise<Retry | null> {
    const request = encoder.encode(batch, from, to, Date.now());
    const verdict = await transport.send(request);
    switch (verdict.kind) {
      case 'accepted':
        // The connection has sent all of the request; after other answers it may still be sending, so its memory is not
        // used again.
        encoder.recycle(request);
        noteAccepted(verdict, to - from);
        return null;
      case 'refused':
        notice({ refused: to - from }, verdict.message);
        refused.push(...rangeOf(from, to).map((index) => ({ index, reason: verdict.reason })));
        return null;
      case 'too_large':
        notice({ events: to - from }, `${verdict.message}: sending it in halves`);
        return deliverHalves(from, to);
      case 'retry': {
        const events = from === 0 ? 'rest' : rangeOf(from, batch.count);
        return { events, afterMs: verdict.afterMs, reason: verdict.reason };
      }
    }
  }

  function noteAccepted({ refused, message }: Extract<Verdict, { kind: 'accepted' }>, events: number): void {
    const count = Math.min(refused, events);
    unnamed += count;
    if (count > 0)
      notice({ refused: count, message }, `OTLP receiver ${where} has refused a part of a batch`);
  }

  async function deliverHalves(from: number, to: number): Promise<Retry | null> {
    if (to - from === 1) {
      refused.push({ index: from, reason: 'message_too_large' });
      return null;
    }
    const middle = (from + to) >>> 1;
    return (await deliverRange(from, middle)) ?? deliverRange(middle, to);
  }

  let retry: Retry | null = null;
  for (let from = 0; from < batch.count && retry === null; ) {
    const to = requestEnd(batch, from);
    retry = await deliverRange(from, to);
    from = to;
  }
  return {
    refused,
    ...(unnamed > 0 && { refusedUnnamed: { count: unnamed, reason: 'partial_success' } }),
    retry,
  };
}

/** The end of the request that begins with event `from`: at least one event. */
function requestEnd({ offsets, count }: Batch, from: number): number {
  const limit = (offsets[from] ?? 0) + MAX_REQUEST_BYTES;
  let to = from + 1;
  while (to < count && (offsets[to + 1] ?? 0) <= limit) to++;
  return to;
}
