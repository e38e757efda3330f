/** Produce requests, and the producer in whose name they are sent. */
import { setTimeout as delay } from 'node:timers/promises';
import type Cluster from 'kafkajs/src/cluster/index.js';
import type { Broker } from 'kafkajs/src/cluster/index.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { requests } from 'kafkajs/src/protocol/requests/index.js';
import type { Producer } from '../record-batch.ts';
import { isRetriable, typeOf } from './errors.ts';

/** API key of a produce request. */
const PRODUCE = 0;
/** Record batches came with it, in Kafka 0.11. */
const OLDEST_PRODUCE_VERSION = 3;
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

/** Sends one record batch to the leader of its partition; resolves when all in-sync replicas have it. */
export async function sendFrame(
  leader: Broker,
  topic: string,
  partition: number,
  frame: Buffer,
  requestTimeoutMs: number,
): Promise<void> {
  const produce = leader.lookupRequest(PRODUCE, requests.Produce);
  const exchange = produce({ acks: ALL_IN_SYNC_REPLICAS, timeout: requestTimeoutMs, topicData: [] });
  if (exchange.request.apiVersion < OLDEST_PRODUCE_VERSION) {
    throw Object.assign(new Error('brokers older than Kafka 0.11 are not supported'), { retriable: false });
  }
  // From version 3 to 7 the request is the same.
  exchange.request.encode = async () =>
    new Encoder()
      .writeString(null)
      .writeInt16(ALL_IN_SYNC_REPLICAS)
      .writeInt32(requestTimeoutMs)
      .writeInt32(1)
      .writeString(topic)
      .writeInt32(1)
      .writeInt32(partition)
      .writeInt32(frame.length)
      .writeBuffer(frame);
  await leader.connectionPool.send(exchange);
}
