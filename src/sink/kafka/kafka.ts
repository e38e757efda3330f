/** Sends events as Kafka records, acknowledged by all in-sync replicas. */
import { DONE } from '../../shared/result.ts';
import { createTurns } from '../../shared/turns.ts';
import { CLOSE_DEADLINE_MS, waitAtMost } from '../closing.ts';
import { notReady, retryAll, type Sink } from '../sink.ts';
import type { SinkLog } from '../sink-log.ts';
import { deliverBatch } from './batch-delivery.ts';
import { createCodec } from './codec.ts';
import { createKafkaConnection } from './connection.ts';
import type { KafkaClientOptions } from './kafkajs/client.ts';
import { createRecordEncoder, type RecordBounds } from './record-batch.ts';
import { createKeyOf, type RecordKey } from './record-key.ts';
import { createTopicChoice } from './topic-choice.ts';

export interface KafkaSinkOptions extends KafkaClientOptions {
  /** A name, in which `{event}` stands for the kind of the event. */
  readonly topic: string;
  /** The kinds of events whose topics must exist when the sink is opened. */
  readonly kinds: readonly string[];
  readonly key: RecordKey;
  /** How many events, and how many bytes of them, become one record. */
  readonly record: RecordBounds;
  /** 1 (fast) to 9 (small). */
  readonly compressionLevel: number;
  /** How long one batch may take, including an outage of the brokers, before it is given back to be sent again. */
  readonly deliveryTimeoutMs: number;
  /** The largest produce request, in bytes before compression; below the topic's `max.message.bytes`. */
  readonly maxRequestBytes: number;
  readonly log: SinkLog;
}

/**
 * Requests are sent one at a time, so that a producer's sequence numbers never depend on the result of an earlier
 * request. Within `deliveryTimeoutMs` a request is repeated with the same sequence numbers, so that a shorter outage
 * makes no duplicates. A retry after it may make duplicates, which have the same `event_id`.
 */
export function createKafkaSink(options: KafkaSinkOptions): Sink {
  const codec = createCodec(options.compression, options.compressionLevel);
  const encode = createRecordEncoder(createKeyOf(options.key, options.host), options.record, codec);
  const topicChoice = createTopicChoice(options.topic);
  const connection = createKafkaConnection({
    ...options,
    topics: topicChoice.topicsOf(options.kinds),
    connectTimeoutMs: Math.min(options.requestTimeoutMs, options.deliveryTimeoutMs),
  });
  const batchDelivery = { ...options, topicChoice, encode };
  const turns = createTurns();
  let isClosed = false;

  return {
    name: 'kafka',
    open: () =>
      turns.run(async () => {
        const opened = await connection.open();
        return opened.ok ? DONE : opened;
      }),
    probe: () =>
      turns.run(async () => {
        const opened = await connection.open();
        if (!opened.ok) return opened;
        const verdict = await opened.value.probe();
        return verdict.kind === 'retry' ? notReady(verdict.reason, verdict.mayPass) : DONE;
      }),
    send: (batch) =>
      turns.run(async () =>
        isClosed ? retryAll('the Kafka sink is closed') : deliverBatch(batch, connection, batchDelivery),
      ),
    async close() {
      isClosed = true;
      // Events that are not acknowledged by then are given back to be sent again.
      await waitAtMost(CLOSE_DEADLINE_MS, turns.idle());
      await connection.close(CLOSE_DEADLINE_MS);
      await turns.idle();
    },
    sockets: connection.sockets,
  };
}
