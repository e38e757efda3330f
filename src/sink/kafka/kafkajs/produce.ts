/** Produce requests, and the producer in whose name they are sent. */
import { setTimeout as delay } from 'node:timers/promises';
import type Cluster from 'kafkajs/src/cluster/index.js';
import type { Broker } from 'kafkajs/src/cluster/index.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { requests } from 'kafkajs/src/protocol/requests/index.js';
import type { Compression } from '../compression.ts';
import type { Producer } from '../record-batch.ts';
import { isRetriable, typeOf, unsupportedCompression } from './errors.ts';

/** API key of a produce request. */
const PRODUCE = 0;
/** Record batches came with it, in Kafka 0.11. */
const OLDEST_PRODUCE_VERSION = 3;
/** Zstd came with it, in Kafka 2.1 (KIP-110). */
const OLDEST_ZSTD_VERSION = 7;
const ALL_IN_SYNC_REPLICAS = -1;
/** A cluster that has just started answers that it is loading. */
const PAUSE_MS = 100;

/** Asks for the id of an idempotent producer, until a broker gives one. */
export async function initProducer(cluster: Cluster): Promise<Producer> {
  for (;;) {
    try {
      const broker = await cluster.findControllerBroker();
      // Without a transactional id any broker gives one, and the timeout means nothing.
      const { producerId, producerEpoch } = await broker.initProducerId({ transactionTimeout: 60_000 });
      return { id: BigInt(producerId.toString()), epoch: producerEpoch };
    } catch (error) {
      if (typeOf(error) === undefined || !isRetriable(error)) throw error;
    }
    await delay(PAUSE_MS);
  }
}

/** Throws where the newest produce request of the brokers cannot carry our record batches. */
export function requireProduce({ brokerPool }: Cluster, compression: Compression): void {
  const newest = brokerPool.versions?.[PRODUCE]?.maxVersion ?? 0;
  if (newest < OLDEST_PRODUCE_VERSION)
    throw Object.assign(new Error('brokers older than Kafka 0.11 are not supported'), { retriable: false });
  if (compression === 'zstd' && newest < OLDEST_ZSTD_VERSION) throw unsupportedCompression();
}

/** What a produce request is made of. */
export interface Produce {
  readonly topic: string;
  readonly partition: number;
  /** One record batch. */
  readonly frame: Buffer;
  /** How long the broker may wait for the other replicas. */
  readonly timeoutMs: number;
}

/**
 * Sends one record batch to the leader of its partition; resolves when all in-sync replicas have it, with how long a
 * quota of the broker makes this client wait, in milliseconds.
 */
export async function sendFrame(
  leader: Broker,
  { topic, partition, frame, timeoutMs }: Produce,
): Promise<number> {
  const produce = leader.lookupRequest(PRODUCE, requests.Produce);
  const exchange = produce({ acks: ALL_IN_SYNC_REPLICAS, timeout: timeoutMs, topicData: [] });
  // From version 3 to 7 the request is the same.
  exchange.request.encode = async () =>
    new Encoder()
      .writeString(null)
      .writeInt16(ALL_IN_SYNC_REPLICAS)
      .writeInt32(timeoutMs)
      .writeInt32(1)
      .writeString(topic)
      .writeInt32(1)
      .writeInt32(partition)
      .writeInt32(frame.length)
      .writeBuffer(frame);
  const { throttleTime = 0, clientSideThrottleTime = 0 } = (await leader.connectionPool.send(
    exchange,
  )) as Throttled;
  return Math.max(throttleTime, clientSideThrottleTime);
}

/** Of an answer: the broker has waited, or the client has to, since Kafka 2.0 (KIP-219). */
interface Throttled {
  readonly throttleTime?: number;
  readonly clientSideThrottleTime?: number;
}
