/** Produce requests, and the producer in whose name they are sent. */
import { setTimeout as delay } from 'node:timers/promises';
import type Cluster from 'kafkajs/src/cluster/index.js';
import type { Broker } from 'kafkajs/src/cluster/index.js';
import type Connection from 'kafkajs/src/network/connection.js';
import type { Answer } from 'kafkajs/src/network/requestQueue/index.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { type Exchange, requests } from 'kafkajs/src/protocol/requests/index.js';
import type { Compression } from '../codec.ts';
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

const LENGTH_BYTES = 4;

/**
 * Sends one record batch to the leader of its partition, which is connected; resolves when all in-sync replicas have it,
 * with how long a quota of the broker makes this client wait, in milliseconds. Rejects with KafkaJSProtocolError where
 * the broker refuses it.
 *
 * In place of kafkajs's `Connection.send`, which copies a request three times, each time into memory of the next power of
 * two, and describes it and its answer for a debug log that nobody reads.
 */
export async function sendFrame(leader: Broker, produce: Produce): Promise<number> {
  const connection = await leader.connectionPool.getConnection();
  const { request, response } = exchangeOf(leader);
  const { payload } = await exchangeBytes(connection, request, produce);
  const answer = await response.decode(payload);
  const { throttleTime = 0, clientSideThrottleTime = 0 } = answer;
  connection.requestQueue.maybeThrottle(clientSideThrottleTime);
  await response.parse(answer);
  return Math.max(throttleTime, clientSideThrottleTime);
}

/** The newest produce request that both sides know, by broker. */
const exchanges = new WeakMap<Broker, Exchange>();

function exchangeOf(broker: Broker): Exchange {
  const known = exchanges.get(broker);
  if (known !== undefined) return known;
  const exchange = broker.lookupRequest(PRODUCE, requests.Produce)({ topicData: [] });
  exchanges.set(broker, exchange);
  return exchange;
}

/** Resolves with the answer. Rejects with KafkaJSConnectionError, or KafkaJSRequestTimeoutError. */
function exchangeBytes(
  connection: Connection,
  { apiKey, apiName, apiVersion }: Exchange['request'],
  produce: Produce,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    connection.failIfNotConnected();
    const correlationId = connection.nextCorrelationId();
    const head = encodeHead(apiVersion, correlationId, connection.clientId, produce);
    const bytes = Buffer.concat([head, produce.frame]);
    bytes.writeInt32BE(bytes.length - LENGTH_BYTES);
    connection.requestQueue.push({
      entry: { apiKey, apiName, apiVersion, correlationId, resolve, reject },
      expectResponse: true,
      requestTimeout: null,
      sendRequest: () => connection.socket.write(bytes),
    });
  });
}

/** The request up to the record batch, its length left out. From version 3 to 7 it is the same. */
function encodeHead(
  apiVersion: number,
  correlationId: number,
  clientId: string,
  { topic, partition, frame, timeoutMs }: Produce,
): Buffer {
  return new Encoder()
    .writeInt32(0)
    .writeInt16(PRODUCE)
    .writeInt16(apiVersion)
    .writeInt32(correlationId)
    .writeString(clientId)
    .writeString(null)
    .writeInt16(ALL_IN_SYNC_REPLICAS)
    .writeInt32(timeoutMs)
    .writeInt32(1)
    .writeString(topic)
    .writeInt32(1)
    .writeInt32(partition)
    .writeInt32(frame.length).buffer;
}
