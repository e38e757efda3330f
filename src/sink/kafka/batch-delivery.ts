/** Delivers one batch to Kafka, in requests by topic and size. A request that the broker refuses is sent in halves. */
import type { RejectReason } from '../../ledger/reasons.ts';
import type { Batch } from '../batch.ts';
import { type Refusal, retryAll, type SendResult } from '../sink.ts';
import type { SinkLog } from '../sink-log.ts';
import type { KafkaConnection } from './connection.ts';
import type { EncodeRecords } from './record-batch.ts';
import type { TopicChoice } from './topic-choice.ts';

export interface BatchDeliveryOptions {
  readonly brokers: readonly string[];
  /** How long the batch may take, including an outage of the brokers. */
  readonly deliveryTimeoutMs: number;
  /** The largest request, in bytes before compression. */
  readonly maxRequestBytes: number;
  readonly topicChoice: TopicChoice;
  readonly encode: EncodeRecords;
  readonly log: SinkLog;
}

/** An estimate for Kafka's framing of a record and its key. */
const RECORD_OVERHEAD_BYTES = 128;

/** Null when each event of a request is written or refused, else why the request has to be sent again. */
type Failure = string | null;

export async function deliverBatch(
  batch: Batch,
  connection: KafkaConnection,
  options: BatchDeliveryOptions,
): Promise<SendResult> {
  const { brokers, deliveryTimeoutMs, log } = options;
  const deadline = performance.now() + deliveryTimeoutMs;
  const refused: Refusal[] = [];
  const settled = new Uint8Array(batch.count);

  async function deliverRequest(topic: string, indexes: Uint32Array): Promise<Failure> {
    const opened = await connection.open();
    if (!opened.ok) return opened.problem;
    const records = options.encode(batch, indexes);
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) return `Kafka at ${brokers.join(',')}: batch not done within ${deliveryTimeoutMs} ms`;
    const verdict = await opened.value.produce(topic, records, leftMs);
    if (verdict.kind === 'retry') return verdict.reason;
    if (verdict.kind === 'split') {
      if (indexes.length > 1) return deliverHalves(topic, indexes, verdict.reason);
      refused.push({ index: indexes[0] ?? 0, reason: verdict.reason });
    }
    // Not by an iterator, which makes an object per event.
    for (let place = 0; place < indexes.length; place++) settled[indexes[place] ?? 0] = 1;
    return null;
  }

  async function deliverHalves(topic: string, indexes: Uint32Array, reason: RejectReason): Promise<Failure> {
    const middle = indexes.length >>> 1;
    log.warn({ topic, events: indexes.length, reason }, 'Kafka refused a request, sending it in halves');
    return (
      (await deliverRequest(topic, indexes.subarray(0, middle))) ??
      (await deliverRequest(topic, indexes.subarray(middle)))
    );
  }

  for (const { topic, indexes } of options.topicChoice.groupByTopic(batch)) {
    for (let from = 0; from < indexes.length; ) {
      const to = requestEnd(batch, indexes, from, options.maxRequestBytes);
      const reason = await deliverRequest(topic, indexes.subarray(from, to));
      if (reason !== null)
        return settled.includes(1) ? retryRest(settled, refused, reason) : retryAll(reason);
      from = to;
    }
  }
  return { refused, retry: null };
}

function retryRest(settled: Uint8Array, refused: readonly Refusal[], reason: string): SendResult {
  const events = [...settled.keys()].filter((index) => settled[index] === 0);
  return { refused, retry: { events, afterMs: null, reason } };
}

/** The end of the request that begins with event `indexes[from]`: at least one event, otherwise at most `maxBytes`. */
function requestEnd({ offsets }: Batch, indexes: Uint32Array, from: number, maxBytes: number): number {
  const sizeOf = (place: number) => {
    const index = indexes[place] ?? 0;
    return (offsets[index + 1] ?? 0) - (offsets[index] ?? 0) + RECORD_OVERHEAD_BYTES;
  };
  let to = from + 1;
  for (let size = sizeOf(from); to < indexes.length; to++) {
    size += sizeOf(to);
    if (size > maxBytes) break;
  }
  return to;
}
