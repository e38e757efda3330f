/** Sends records in the name of one producer, with its sequence numbers, and repeats what can be repeated. */
import { setTimeout as delay } from 'node:timers/promises';
import type Cluster from 'kafkajs/src/cluster/index.js';
import {
  frameBatch,
  frameProbe,
  NOT_IDEMPOTENT,
  nextSequence,
  type Producer,
  type Records,
} from '../record-batch.ts';
import { aboutTopics, missingTopics, typeOf } from './errors.ts';
import { sendFrame } from './produce.ts';
import { createPartitionChoice, hasPartition, leaderOf, requireTopics } from './topics.ts';

export interface SenderOptions {
  /** Decides the partition. */
  readonly host: string;
  readonly requestTimeoutMs: number;
  /** Called after each request that a quota of the broker slows down, with the milliseconds. */
  readonly onThrottled: (milliseconds: number) => void;
  /** Called with each failure; throws it unless the request may be repeated. */
  readonly throwUnlessRetriable: (error: unknown) => void;
}

export interface Sender {
  /** Resolves when all in-sync replicas have the records. Repeats until then; the caller has the deadline. */
  send(topic: string, records: Records): Promise<void>;
  /**
   * Sends what no broker writes to the leader of our partition. Rejects with what a request with records would get there
   * too: unreachable, not permitted, too few replicas.
   */
  probe(topic: string): Promise<void>;
}

/** What a broker answers to a probe that it would have written. */
const PROBE_ANSWERS: readonly unknown[] = ['CORRUPT_MESSAGE', 'INVALID_RECORD'];
/** What it answers for a moment where the topic is new, or the leader. */
const PASSING_ANSWERS: readonly unknown[] = [
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'UNKNOWN_TOPIC_OR_PARTITION',
];
const PROBE_ATTEMPTS = 10;

/** A broker that is back is found again within a second. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;
/** How often kafkajs is asked whether its metadata are too old. */
const METADATA_LOOK_MS = 10_000;

export function createSender(cluster: Cluster, producer: Producer, options: SenderOptions): Sender {
  const { host, requestTimeoutMs, onThrottled, throwUnlessRetriable } = options;
  const partitionOf = createPartitionChoice(host);
  /** The next sequence number, by `topic/partition`. */
  const sequences = new Map<string, number>();
  /** Topics that kafkajs knows, and fetches the metadata of. */
  const known = new Set<string>();
  let lookAgainAt = 0;

  async function refreshMetadata(): Promise<void> {
    try {
      await cluster.refreshMetadata();
    } catch (error) {
      // The answer of a single broker may still lack a topic that exists; the metadata are certain.
      if (typeOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION') throw missingTopics('was deleted', null);
      throwUnlessRetriable(error);
    }
  }

  async function updateMetadata(topic: string): Promise<void> {
    if (!known.has(topic)) await requireTopics(cluster, [topic]);
    known.add(topic);
    if (performance.now() < lookAgainAt) return;
    await cluster.refreshMetadataIfNecessary();
    lookAgainAt = performance.now() + METADATA_LOOK_MS;
  }

  async function sendOnce(topic: string, partition: number, frame: Buffer): Promise<void> {
    const leader = await leaderOf(cluster, topic, partition);
    const throttledMs = await sendFrame(leader, { topic, partition, frame, timeoutMs: requestTimeoutMs });
    if (throttledMs > 0) onThrottled(throttledMs);
  }

  /**
   * Repeats the same bytes until they are acknowledged or refused: the broker drops a repetition. Gives up, with false,
   * when the partition is gone: the topic was deleted and made again with fewer.
   */
  async function repeatFrame(topic: string, partition: number, frame: Buffer): Promise<boolean> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        await sendOnce(topic, partition, frame);
        return true;
      } catch (error) {
        throwUnlessRetriable(error);
      }
      await delay(pauseMs);
      await refreshMetadata();
      if (!hasPartition(cluster, topic, partition)) return false;
    }
  }

  return {
    async send(topic, records) {
      await updateMetadata(topic);
      for (let isSent = false; !isSent; ) {
        const partition = partitionOf(cluster, topic);
        const place = `${topic}/${partition}`;
        const sequence = producer === NOT_IDEMPOTENT ? -1 : (sequences.get(place) ?? 0);
        isSent = await repeatFrame(topic, partition, frameBatch(records, Date.now(), producer, sequence));
        if (isSent) sequences.set(place, nextSequence(sequence, records.count));
      }
    },
    async probe(topic) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await sendOnce(topic, partitionOf(cluster, topic), frameProbe(Date.now()));
        } catch (error) {
          if (PROBE_ANSWERS.includes(typeOf(error))) return;
          const mayPass = PASSING_ANSWERS.includes(typeOf(error)) && attempt < PROBE_ATTEMPTS;
          if (!mayPass) throw aboutTopics(error, [topic]);
        }
        await delay(FIRST_PAUSE_MS);
        await refreshMetadata();
      }
    },
  };
}
