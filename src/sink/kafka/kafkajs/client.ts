/**
 * One connection to Kafka that can be given up at any time. kafkajs has no deadlines of its own and may wait for answers
 * that never come. So this client owns the sockets: when it is retired they are destroyed and no new ones are made, which
 * ends every request that is still under way.
 */
import { waitAtMost } from '../../closing.ts';
import { createNotice } from '../../notice.ts';
import type { SinkSocket } from '../../sink.ts';
import type { SinkLog } from '../../sink-log.ts';
import type { Compression } from '../codec.ts';
import { NOT_IDEMPOTENT, type Records } from '../record-batch.ts';
import { createCalls } from './calls.ts';
import { type ClusterLink, type ClusterOptions, createClusterLink } from './cluster.ts';
import { brokerOf, isRequestTimeout, isRetriable } from './errors.ts';
import { initProducer, requireProduce } from './produce.ts';
import { createSender, type Sender } from './sender.ts';
import { requireTopics } from './topics.ts';

export interface KafkaClientOptions extends ClusterOptions {
  /** Decides the partition, so that the events of one host stay in order. */
  readonly host: string;
  /** The broker drops the records of a repeated request that it already has. */
  readonly idempotent: boolean;
  readonly compression: Compression;
}

export interface KafkaClient {
  /**
   * Resolves when the topics are there and events can be sent. Rejects with kafkajs's error, which has the `topics` it
   * is about where it is about topics, or at the deadline.
   */
  connect(topics: readonly string[], deadlineMs: number): Promise<void>;
  /** Resolves when all in-sync replicas have the records. One call at a time. Rejects as `connect` does. */
  produce(topic: string, records: Records, deadlineMs: number): Promise<void>;
  /** Resolves when the leaders of our partitions would take records. Writes nothing. Rejects as `connect` does. */
  probe(topics: readonly string[], deadlineMs: number): Promise<void>;
  /** This client's connections. */
  sockets(): SinkSocket[];
  /** Disconnects from the brokers, within `deadlineMs`, then retires. */
  disconnect(deadlineMs: number): Promise<void>;
  /** Ends every connection at once; requests under way fail. */
  retire(): void;
}

export function createKafkaClient(options: KafkaClientOptions, log: SinkLog): KafkaClient {
  const calls = createCalls(options.brokers, log);
  let link: ClusterLink | null = null;
  let sender: Sender | null = null;
  const notice = createNotice(log);
  let throttle = { untilMs: 0, reason: '' };

  /** What a broker has its quotas for: `producer_byte_rate` of a user or of a client id (KIP-13, KIP-219). */
  function onThrottled(milliseconds: number): void {
    const who = options.sasl === null ? '' : `user "${options.sasl.username}", `;
    const reason =
      `a quota of the broker (${who}client id "${options.clientId}") makes this client wait ` +
      `${milliseconds} ms after a request`;
    throttle = { untilMs: performance.now() + milliseconds, reason };
    notice({ throttle_ms: milliseconds }, `Kafka: ${reason}`);
  }

  function throwUnlessRetriable(error: unknown): void {
    if (calls.isRetired || !isRetriable(error)) throw error;
    const { message } = error as Error;
    const broker = brokerOf(error);
    calls.complain(message);
    log.debug({ broker }, `Kafka: ${message}`);
    if (isRequestTimeout(error) && broker !== undefined) link?.hangUp(broker);
  }

  async function connect(topics: readonly string[]): Promise<void> {
    link = createClusterLink(options, {
      debug: (fields, message) => log.debug(fields, message),
      onComplaint: calls.complain,
    });
    const { cluster } = link;
    await cluster.connect();
    requireProduce(cluster, options.compression);
    await requireTopics(cluster, topics);
    const producer = options.idempotent ? await initProducer(cluster) : NOT_IDEMPOTENT;
    sender = createSender(cluster, producer, { ...options, onThrottled, throwUnlessRetriable });
  }

  function connected(): Sender {
    if (sender === null) throw new ReferenceError('used before connect()');
    return sender;
  }

  async function produce(topic: string, records: Records): Promise<void> {
    if (performance.now() < throttle.untilMs) calls.complain(throttle.reason);
    return connected().send(topic, records);
  }

  async function probe(topics: readonly string[]): Promise<void> {
    for (const topic of topics) await connected().probe(topic);
  }

  function retire(): void {
    calls.retire();
    link?.cut();
  }

  return {
    connect: (topics, deadlineMs) => calls.run('connecting', deadlineMs, () => connect(topics)),
    produce: (topic, records, deadlineMs) => calls.run('sending', deadlineMs, () => produce(topic, records)),
    probe: (topics, deadlineMs) => calls.run('trying to send', deadlineMs, () => probe(topics)),
    sockets: () => link?.sockets() ?? [],
    async disconnect(deadlineMs) {
      const leaving = calls.contain(async () => link?.cluster.disconnect()).catch(() => undefined);
      await waitAtMost(deadlineMs, leaving);
      retire();
    },
    retire,
  };
}
