/**
 * One connection to Kafka that can be thrown away. What kafkajs does below it has no deadline of its own and may wait
 * for answers that never come. So this client owns the sockets: when it is retired they are destroyed and no new ones
 * are made, which ends everything still under way.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import type { Broker } from 'kafkajs/src/cluster/index.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import { requests } from 'kafkajs/src/protocol/requests/index.js';
import type { SinkSocket } from '../../sink.ts';
import type { SinkLog } from '../../sink-log.ts';
import { frameBatch, NOT_IDEMPOTENT, nextSequence, type Producer, type Records } from '../record-batch.ts';
import { type ClusterLink, type ClusterOptions, createClusterLink } from './cluster.ts';
import { contain } from './containment.ts';

const { Partitioners } = kafkajs;

export interface KafkaClientOptions extends ClusterOptions {
  /** Decides the partition, so that the order of one host's events holds. */
  readonly host: string;
  /** The broker drops what it already has of a repeated request. */
  readonly idempotent: boolean;
}

export interface KafkaClient {
  /**
   * Resolves when the topics are there and events can be sent. Rejects with kafkajs's error, which has the `topics` it
   * is about where it is about topics, or at the deadline.
   */
  connect(topics: readonly string[], deadlineMs: number): Promise<void>;
  /** Resolves when all in-sync replicas have the records. One call at a time. Rejects as `connect` does. */
  produce(topic: string, records: Records, deadlineMs: number): Promise<void>;
  /** This client's connections. */
  sockets(): SinkSocket[];
  /** Takes leave of the brokers, for at most `deadlineMs`, then retires. */
  disconnect(deadlineMs: number): Promise<void>;
  /** Ends everything at once; what was under way fails. */
  retire(): void;
}

const SLOW_MS = 1_000;
/** A broker that is back is found again within a second; the caller's deadline ends the retries. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;
const PRODUCE = 0;
/** Record batches came with it, in Kafka 0.11. */
const OLDEST_PRODUCE_VERSION = 3;
const ALL_IN_SYNC_REPLICAS = -1;

export function createKafkaClient(options: KafkaClientOptions, log: SinkLog): KafkaClient {
  let link: ClusterLink | null = null;
  let retired = false;
  let producer = NOT_IDEMPOTENT;
  /** The next sequence number, by `topic/partition`. */
  const sequences = new Map<string, number>();
  /** This host's partition of a topic, by how many the topic has: hashing cost 3 % of an agent at 10,000 events/s. */
  const partitions = new Map<number, number>();
  /** What last went wrong: tells why it is still being tried. */
  let complaint: string | null = null;
  /** Thrown by kafkajs outside of every call; nothing is known about its state after that. */
  let fault: Error | null = null;
  let failCall: ((error: Error) => void) | null = null;

  const onFault = (thrown: unknown) => {
    if (retired) return;
    log.error({ err: thrown }, 'kafkajs threw outside of any call, its client will be renewed');
    // The cause is only logged: inside kafkajs even a TypeError is a fault of the world to the agent.
    fault = new Error(`kafkajs failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    failCall?.(fault);
  };

  const call = <Result>(what: string, deadlineMs: number, work: () => Promise<Result>): Promise<Result> => {
    const began = performance.now();
    const waited = () => Math.round(performance.now() - began);
    let slow = false;
    const patience = setTimeout(() => {
      slow = true;
      log.warn(
        { brokers: options.brokers, complaint },
        `Kafka: ${what} takes more than ${SLOW_MS} ms, retrying`,
      );
    }, SLOW_MS);
    let deadline: NodeJS.Timeout;
    complaint = null;
    return new Promise<Result>((resolve, reject) => {
      failCall = reject;
      deadline = setTimeout(() => {
        const last = complaint === null ? '' : `; last: ${complaint}`;
        reject(new Error(`${what} not done within ${Math.round(deadlineMs)} ms${last}`));
      }, deadlineMs);
      if (fault) reject(fault);
      else contain(onFault, work).then(resolve, reject);
    })
      .then((result) => {
        if (slow) log.info({ brokers: options.brokers, waited_ms: waited() }, `Kafka: ${what} done at last`);
        return result;
      })
      .finally(() => {
        failCall = null;
        clearTimeout(patience);
        clearTimeout(deadline);
      });
  };

  const connected = (): ClusterLink => {
    if (link === null) throw new ReferenceError('used before connect()');
    return link;
  };

  /** All that are missing at once, so that an operator need not find them one by one. */
  const requireTopics = async ({ cluster }: ClusterLink, topics: readonly string[]) => {
    const missing: string[] = [];
    for (const topic of topics) {
      await cluster.addTargetTopic(topic).catch((error: unknown) => {
        if (typeOf(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw aboutTopics(error, [topic]);
        missing.push(topic);
      });
    }
    if (missing.length > 0) throw missingTopics('does not exist', missing);
  };

  /** The partition of a topic for this host, which Java's default partitioner would take too (murmur2). */
  const partitionOf = ({ cluster }: ClusterLink, topic: string): number => {
    const partitionMetadata = cluster.findTopicPartitionMetadata(topic);
    const count = partitionMetadata.length;
    if (count === 0) throw new Error(`no metadata of topic ${topic}`);
    const known = partitions.get(count);
    if (known !== undefined) return known;
    const message = { key: options.host, value: null };
    const partition = Partitioners.DefaultPartitioner()({ topic, partitionMetadata, message });
    partitions.set(count, partition);
    return partition;
  };

  const leaderOf = async ({ cluster }: ClusterLink, topic: string, partition: number): Promise<Broker> => {
    const found = cluster
      .findTopicPartitionMetadata(topic)
      .find(({ partitionId }) => partitionId === partition);
    return cluster.findBroker({ nodeId: found?.leader ?? -1 });
  };

  /** Repeats the same bytes until they are acknowledged or refused: a repetition is dropped by the broker. */
  const send = async (topic: string, records: Records) => {
    const current = connected();
    const { cluster } = current;
    await requireTopics(current, [topic]);
    await cluster.refreshMetadataIfNecessary();
    const partition = partitionOf(current, topic);
    const place = `${topic}/${partition}`;
    const sequence = producer === NOT_IDEMPOTENT ? -1 : (sequences.get(place) ?? 0);
    const frame = frameBatch(records, Date.now(), producer, sequence);
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      try {
        const leader = await leaderOf(current, topic, partition);
        await leader.connectionPool.send(produceRequest(leader, topic, partition, frame, options));
        sequences.set(place, nextSequence(sequence, records.count));
        return;
      } catch (error) {
        giveUpUnlessRetriable(current, error);
      }
      await delay(pause);
      await cluster.refreshMetadata().catch((error: unknown) => {
        // What the answer of a single broker may still lack, its metadata tell for certain.
        if (typeOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION') throw missingTopics('was deleted', null);
        giveUpUnlessRetriable(current, error);
      });
    }
  };

  const giveUpUnlessRetriable = ({ hangUp }: ClusterLink, error: unknown) => {
    if (retired || !isRetriable(error)) throw error;
    const { message, name, broker } = error as Error & { broker?: string };
    complaint = message;
    log.debug({ broker }, `Kafka: ${message}`);
    if (name === 'KafkaJSRequestTimeoutError' && broker !== undefined) hangUp(broker);
  };

  const retire = () => {
    retired = true;
    failCall?.(new Error('given up while the sink was closed'));
    link?.cut();
  };

  return {
    connect: (topics, deadlineMs) =>
      call('connecting', deadlineMs, async () => {
        link = createClusterLink(options, {
          debug: (fields, message) => log.debug(fields, message),
          onComplaint: (text) => {
            complaint = text;
          },
        });
        await link.cluster.connect();
        await requireTopics(link, topics);
        if (options.idempotent) producer = await initProducer(link);
      }),
    produce: (topic, records, deadlineMs) => call('sending', deadlineMs, () => send(topic, records)),
    sockets: () => link?.sockets() ?? [],
    async disconnect(deadlineMs) {
      const leaving = contain(onFault, async () => link?.cluster.disconnect()).catch(() => undefined);
      await Promise.race([leaving, delay(deadlineMs, undefined, { ref: false })]);
      retire();
    },
    retire,
  };
}

/** A cluster that has just started answers that it is loading. */
async function initProducer({ cluster }: ClusterLink): Promise<Producer> {
  for (;;) {
    try {
      const broker = await cluster.findControllerBroker();
      // Without a transactional id any broker gives one, and the timeout means nothing.
      const { producerId, producerEpoch } = await broker.initProducerId({ transactionTimeout: 60_000 });
      return { id: BigInt(producerId.toString()), epoch: producerEpoch };
    } catch (error) {
      if (typeOf(error) === undefined || !isRetriable(error)) throw error;
    }
    await delay(FIRST_PAUSE_MS);
  }
}

/** kafkajs's exchange for this broker's version; from 3 to 7 the request is the same. */
function produceRequest(
  broker: Broker,
  topic: string,
  partition: number,
  frame: Buffer,
  { requestTimeoutMs }: KafkaClientOptions,
) {
  const produce = broker.lookupRequest(PRODUCE, requests.Produce);
  const exchange = produce({ acks: ALL_IN_SYNC_REPLICAS, timeout: requestTimeoutMs, topicData: [] });
  if (exchange.request.apiVersion < OLDEST_PRODUCE_VERSION) {
    throw Object.assign(new Error('brokers older than Kafka 0.11 are not supported'), { retriable: false });
  }
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
  return exchange;
}

function typeOf(error: unknown): string | undefined {
  return (error as { type?: string } | undefined)?.type;
}

/** `topics` is null where it is not known which. */
function missingTopics(what: string, topics: readonly string[] | null): Error {
  const error = Object.assign(new Error(`a topic ${what}`), { type: 'UNKNOWN_TOPIC_OR_PARTITION' });
  return topics === null ? error : Object.assign(error, { topics });
}

function aboutTopics(error: unknown, topics: readonly string[]): unknown {
  return error instanceof Error ? Object.assign(error, { topics }) : error;
}

const TRIED_SOME_TIMES = 'KafkaJSNumberOfRetriesExceeded';
const PROGRAMMER_ERRORS = ['TypeError', 'ReferenceError', 'SyntaxError', 'RangeError'];

/** By kafkajs's own mark, which follows Kafka's; what it tried some times in vain is retriable by nature. */
function isRetriable(error: unknown): boolean {
  const { retriable, name = '' } = error as { retriable?: boolean; name?: string };
  return name === TRIED_SOME_TIMES || (retriable !== false && !PROGRAMMER_ERRORS.includes(name));
}
