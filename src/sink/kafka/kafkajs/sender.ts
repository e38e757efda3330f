/** Sends records in the name of one producer, with its sequence numbers, and repeats what can be repeated. */
import { setTimeout as delay } from 'node:timers/promises';
import type Cluster from 'kafkajs/src/cluster/index.js';
import { frameBatch, NOT_IDEMPOTENT, nextSequence, type Producer, type Records } from '../record-batch.ts';
import { missingTopics, typeOf } from './errors.ts';
import { sendFrame } from './produce.ts';
import { createPartitionChoice, leaderOf, requireTopics } from './topics.ts';

export interface SenderOptions {
  /** Decides the partition. */
  readonly host: string;
  readonly requestTimeoutMs: number;
  /** Called with each failure; throws it unless the request may be repeated. */
  readonly throwUnlessRetriable: (error: unknown) => void;
}

export interface Sender {
  /** Resolves when all in-sync replicas have the records. Repeats until then; the caller has the deadline. */
  send(topic: string, records: Records): Promise<void>;
}

/** A broker that is back is found again within a second. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

export function createSender(cluster: Cluster, producer: Producer, options: SenderOptions): Sender {
  const { host, requestTimeoutMs, throwUnlessRetriable } = options;
  const partitionOf = createPartitionChoice(host);
  /** The next sequence number, by `topic/partition`. */
  const sequences = new Map<string, number>();

  async function refreshMetadata(): Promise<void> {
    try {
      await cluster.refreshMetadata();
    } catch (error) {
      // The answer of a single broker may still lack a topic that exists; the metadata are certain.
      if (typeOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION') throw missingTopics('was deleted', null);
      throwUnlessRetriable(error);
    }
  }

  /** Repeats the same bytes until they are acknowledged or refused: the broker drops a repetition. */
  async function repeatFrame(topic: string, partition: number, frame: Buffer): Promise<void> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        const leader = await leaderOf(cluster, topic, partition);
        return await sendFrame(leader, topic, partition, frame, requestTimeoutMs);
      } catch (error) {
        throwUnlessRetriable(error);
      }
      await delay(pauseMs);
      await refreshMetadata();
    }
  }

  return {
    async send(topic, records) {
      await requireTopics(cluster, [topic]);
      await cluster.refreshMetadataIfNecessary();
      const partition = partitionOf(cluster, topic);
      const place = `${topic}/${partition}`;
      const sequence = producer === NOT_IDEMPOTENT ? -1 : (sequences.get(place) ?? 0);
      await repeatFrame(topic, partition, frameBatch(records, Date.now(), producer, sequence));
      sequences.set(place, nextSequence(sequence, records.count));
    },
  };
}
