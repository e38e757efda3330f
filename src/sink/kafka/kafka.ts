/** Events as Kafka records, acknowledged by all in-sync replicas. */
import { setTimeout as delay } from 'node:timers/promises';
import { DONE } from '../../shared/result.ts';
import { createTurns } from '../../shared/turns.ts';
import { retryAll, type Sink } from '../sink.ts';
import type { SinkLog } from '../sink-log.ts';
import { deliverBatch } from './batch-delivery.ts';
import { type Compression, createCodec } from './compression.ts';
import { createKafkaConnection } from './connection.ts';
import type { KafkaClientOptions } from './kafkajs/client.ts';
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

/** For what is under way, then for taking leave of the brokers. */
const CLOSE_DEADLINE_MS = 2_000;

/**
 * Requests are sent one at a time, so that a producer's sequence numbers never depend on the fate of an earlier
 * request. Within `deliveryTimeoutMs` a request is repeated with the same sequence numbers, so an outage shorter than
 * that makes no duplicates; a retry after it may, with the same `event_id`.
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
    send: (batch) =>
      turns.run(async () =>
        isClosed ? retryAll('the Kafka sink is closed') : deliverBatch(batch, connection, batchDelivery),
      ),
    async close() {
      isClosed = true;
      // What is not acknowledged by then is handed back for a retry.
      await Promise.race([turns.idle(), delay(CLOSE_DEADLINE_MS, undefined, { ref: false })]);
      await connection.close(CLOSE_DEADLINE_MS);
      await turns.idle();
    },
    sockets: connection.sockets,
  };
}
