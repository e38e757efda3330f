/** Events as Kafka records, acknowledged by all in-sync replicas. */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { createTurns } from '../../shared/turns.ts';
import type { Batch } from '../batch.ts';
import { type Refusal, retryAll, type SendResult, type Sink, type SinkProblem } from '../sink.ts';
import type { SinkLog } from '../sink-log.ts';
import { type Compression, createCodec } from './compression.ts';
import { createKafkaClient, type KafkaClient, type KafkaClientOptions } from './kafkajs/client.ts';
import { judge, type KafkaVerdict } from './kafkajs/faults.ts';
import { createRecordEncoder, type RecordBounds } from './record-batch.ts';
import { createKeyOf, type RecordKey } from './record-key.ts';
import { createTopicChoice } from './topic-choice.ts';

export interface KafkaSinkOptions extends KafkaClientOptions {
  /** One name, or one with `{event}` where the kind of the event goes. */
  readonly topic: string;
  /** The kinds whose topics must be there when the sink is opened. */
  readonly kinds: readonly string[];
  readonly key: RecordKey;
  /** How many events, and bytes of them, become one record. */
  readonly record: RecordBounds;
  readonly compression: Compression;
  /** 1 (quick) to 9 (small). */
  readonly compressionLevel: number;
  /** How long one batch may take, an outage of the brokers included, before it is handed back for a retry. */
  readonly deliveryTimeoutMs: number;
  /** Bound of one produce request before compression; below the topic's `max.message.bytes`. */
  readonly maxRequestBytes: number;
  readonly log: SinkLog;
}

/** Kafka's framing of a record, and its key. */
const RECORD_OVERHEAD_BYTES = 128;
/** For what is under way, then for taking leave of the brokers. */
const CLOSE_DEADLINE_MS = 2_000;

/**
 * Requests are sent one at a time, so that a producer's sequence numbers never depend on the fate of an earlier
 * request. Within `deliveryTimeoutMs` a request is repeated with the same sequence numbers, so an outage shorter than
 * that makes no duplicates; a retry after it may, with the same `event_id`. A client whose request has failed is
 * never used again, unless the broker refused the request as a whole before writing it.
 */
export function createKafkaSink(options: KafkaSinkOptions): Sink {
  const { log, brokers, sasl } = options;
  const codec = createCodec(options.compression, options.compressionLevel);
  const encode = createRecordEncoder(createKeyOf(options.key, options.host), options.record, codec);
  const topicChoice = createTopicChoice(options.topic);
  const topics = topicChoice.topicsOf(options.kinds);
  const turns = createTurns();
  let client: KafkaClient | null = null;
  let connected = false;
  let closed = false;

  const dropClient = () => {
    client?.retire();
    client = null;
    connected = false;
  };

  /** The verdict on what `work` did; a client whose state is uncertain is gone afterwards. */
  const attempt = async (about: readonly string[], work: () => Promise<void>): Promise<KafkaVerdict> => {
    try {
      await work();
      return { kind: 'delivered' };
    } catch (error) {
      const verdict = judge(error, { brokers, topics: about, sasl });
      if (verdict.kind !== 'split') dropClient();
      if (verdict.kind === 'bug') throw error;
      return verdict;
    }
  };

  const connect = async (): Promise<{ client: KafkaClient } | SinkProblem> => {
    if (client && connected) return { client };
    const fresh = createKafkaClient(options, log);
    client = fresh;
    const deadlineMs = Math.min(options.requestTimeoutMs, options.deliveryTimeoutMs);
    const verdict = await attempt(topics, () => fresh.connect(topics, deadlineMs));
    if (verdict.kind === 'retry') return { problem: verdict.reason, mayPass: verdict.mayPass };
    connected = true;
    log.info({ brokers, topics }, 'connected to Kafka');
    return { client: fresh };
  };

  const deliver = async (batch: Batch): Promise<SendResult> => {
    const deadline = performance.now() + options.deliveryTimeoutMs;
    const refused: Refusal[] = [];
    const settled = new Uint8Array(batch.count);

    /** Null when each of these events is written or refused, else why it has to be retried. */
    const deliverRequest = async (topic: string, indexes: Uint32Array): Promise<string | null> => {
      const link = await connect();
      if ('problem' in link) return link.problem;
      const records = await encode(batch, indexes);
      const left = deadline - performance.now();
      if (left <= 0)
        return `Kafka at ${brokers.join(',')}: batch not done within ${options.deliveryTimeoutMs} ms`;
      const verdict = await attempt([topic], () => link.client.produce(topic, records, left));
      switch (verdict.kind) {
        case 'retry':
          return verdict.reason;
        case 'split':
          if (indexes.length > 1) {
            const middle = indexes.length >>> 1;
            log.warn(
              { topic, events: indexes.length, reason: verdict.reason },
              'Kafka refused a request, sending it in halves',
            );
            return (
              (await deliverRequest(topic, indexes.subarray(0, middle))) ??
              (await deliverRequest(topic, indexes.subarray(middle)))
            );
          }
          refused.push({ index: indexes[0] ?? 0, reason: verdict.reason });
      }
      for (const index of indexes) settled[index] = 1;
      return null;
    };

    for (const { topic, indexes } of topicChoice.groupByTopic(batch)) {
      for (let from = 0; from < indexes.length; ) {
        const to = requestEnd(batch, indexes, from, options.maxRequestBytes);
        const reason = await deliverRequest(topic, indexes.subarray(from, to));
        if (reason !== null) {
          if (!settled.includes(1)) return retryAll(reason);
          const events = [...settled.keys()].filter((index) => settled[index] === 0);
          return { refused, retry: { events, afterMs: null, reason } };
        }
        from = to;
      }
    }
    return { refused, retry: null };
  };

  return {
    name: 'kafka',
    open: () =>
      turns.run(async () => {
        const link = await connect();
        return 'problem' in link ? link : null;
      }),
    send: (batch) => turns.run(async () => (closed ? retryAll('the Kafka sink is closed') : deliver(batch))),
    async close() {
      closed = true;
      // What is not acknowledged by then is handed back for a retry.
      await Promise.race([turns.idle(), delay(CLOSE_DEADLINE_MS, undefined, { ref: false })]);
      await client?.disconnect(CLOSE_DEADLINE_MS);
      dropClient();
      await turns.idle();
    },
    sockets: () => client?.sockets() ?? [],
  };
}

/** Where the request that begins with event `indexes[from]` ends: at least one event, at most what the bound allows. */
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
