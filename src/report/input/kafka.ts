/**
 * Events of a Kafka topic since a time. Reads each partition from an offset to its present end, without a consumer group:
 * nothing is committed, and the right Read on the topic is all it needs.
 */
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import type Cluster from 'kafkajs/src/cluster/index.js';
import { Codecs, Types } from 'kafkajs/src/protocol/message/compression/index.js';
import type { Secret } from '../../setting/secret.ts';
import { clusterOptionsOf } from '../../sink/kafka/definition.ts';
import { createCalls } from '../../sink/kafka/kafkajs/calls.ts';
import { type ClusterOptions, createClusterLink } from '../../sink/kafka/kafkajs/cluster.ts';
import { typeOf } from '../../sink/kafka/kafkajs/errors.ts';
import { judge } from '../../sink/kafka/kafkajs/faults.ts';
import { requireTopics } from '../../sink/kafka/kafkajs/topics.ts';
import type { KafkaValues } from '../../sink/kafka/settings.ts';
import { type Chunk, type Input, inputRefusal } from './input.ts';

export interface KafkaInputOptions {
  /** Of the configuration's sink: how to reach the brokers. */
  readonly settings: KafkaValues;
  readonly secret: Secret | null;
  readonly topic: string;
  /** Seconds since 1970; -Infinity for everything. */
  readonly sinceS: number;
}

/** From a partition; the end is left out. */
interface Piece {
  readonly partition: number;
  readonly leader: number;
  next: bigint;
  readonly end: bigint;
  /** Answers one after the other without a message. */
  empty: number;
}

const CONNECT_MS = 30_000;
const FETCH_MS = 60_000;
const FETCH_BYTES = 1 << 20;
const MAX_EMPTY = 5;
const NEWLINE = Buffer.from('\n');
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

export function kafkaInput({ settings, secret, topic, sinceS }: KafkaInputOptions): Input {
  const options = clusterOptionsOf(settings, secret);
  const problems: string[] = [];
  return {
    name: `topic ${topic} of ${options.brokers.join(',')}`,
    async *read() {
      Codecs[Types.ZSTD] = zstdCodec;
      const calls = createCalls(options.brokers, SILENT);
      let link: ReturnType<typeof createClusterLink> | null = null;
      try {
        link = createClusterLink(options, { debug() {}, onComplaint: calls.complain });
        const { cluster } = link;
        const pieces = await calls.run('connecting', CONNECT_MS, async () => {
          await cluster.connect();
          await requireTopics(cluster, [topic]);
          return piecesOf(cluster, topic, sinceS);
        });
        for (const [leader, ofLeader] of Map.groupBy(pieces, (piece) => piece.leader)) {
          for (;;) {
            const due = ofLeader.filter(({ next, end, empty }) => next < end && empty < MAX_EMPTY);
            if (due.length === 0) break;
            yield* await calls.run('reading', FETCH_MS, () => fetchPieces(cluster, topic, leader, due));
          }
        }
        for (const { partition, next, end } of pieces)
          if (next < end)
            problems.push(
              `topic ${topic}, partition ${partition}: offsets ${next} to ${end} hold no messages`,
            );
      } catch (error) {
        yield refusalOf(error, options, topic);
      } finally {
        calls.retire();
        link?.cut();
      }
    },
    problems: () => problems,
  };
}

/**
 * Where each partition begins and ends. A message is never older than its events, so those before `sinceS` need not be
 * read; how much younger it may be depends on how long an agent waited for its sink, so everything after is.
 */
async function piecesOf(cluster: Cluster, topic: string, sinceS: number): Promise<Piece[]> {
  const metadata = cluster.findTopicPartitionMetadata(topic);
  const partitions = metadata.map(({ partitionId }) => ({ partition: partitionId }));
  const offsetsAt = async (where: { fromBeginning: boolean } | { fromTimestamp: number }) => {
    const [found] = await cluster.fetchTopicsOffset([{ topic, partitions, ...where }]);
    return new Map(found?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]));
  };
  const ends = await offsetsAt({ fromBeginning: false });
  const starts = await offsetsAt(
    Number.isFinite(sinceS) ? { fromTimestamp: Math.floor(sinceS * 1000) } : { fromBeginning: true },
  );
  return metadata.map(({ partitionId, leader }) => {
    const end = ends.get(partitionId) ?? 0n;
    // -1: there is no message as late as that.
    const orEnd = (offset: bigint | undefined) => (offset === undefined || offset < 0n ? end : offset);
    const next = orEnd(starts.get(partitionId));
    return { partition: partitionId, leader, next, end, empty: 0 };
  });
}

async function fetchPieces(
  cluster: Cluster,
  topic: string,
  leader: number,
  due: readonly Piece[],
): Promise<Chunk[]> {
  const broker = await cluster.findBroker({ nodeId: leader });
  const { responses } = await broker.fetch({
    isolationLevel: 1,
    maxBytes: 8 * FETCH_BYTES,
    topics: [
      {
        topic,
        partitions: due.map(({ partition, next }) => ({
          partition,
          fetchOffset: next.toString(),
          maxBytes: FETCH_BYTES,
        })),
      },
    ],
  });
  const chunks: Chunk[] = [];
  for (const { partition, messages } of responses.flatMap(({ partitions }) => partitions)) {
    const piece = due.find((each) => each.partition === partition);
    if (piece === undefined) continue;
    const before = piece.next;
    for (const { offset, value } of messages) {
      const number = BigInt(offset);
      // The broker gives whole batches, which may begin before the offset that was asked for.
      if (number < piece.next || number >= piece.end) continue;
      piece.next = number + 1n;
      if (value !== null) chunks.push({ ok: true, value: Buffer.concat([value, NEWLINE]) });
    }
    piece.empty = piece.next === before ? piece.empty + 1 : 0;
  }
  return chunks;
}

const decompress = promisify(zlib.zstdDecompress);

function zstdCodec() {
  return {
    compress: () => Promise.reject(new Error('a report writes nothing')),
    decompress: (bytes: Buffer) => decompress(bytes),
  };
}

function refusalOf(error: unknown, { brokers, sasl }: ClusterOptions, topic: string): Chunk {
  if (typeOf(error) === 'TOPIC_AUTHORIZATION_FAILED') {
    const who = sasl === null ? 'this client' : `user "${sasl.username}"`;
    return inputRefusal(
      'not_permitted',
      `topic ${topic} of ${brokers.join(',')}: ${who} may not read; grant it Read and Describe on the topic`,
    );
  }
  const verdict = judge(error, { brokers, topics: [topic], sasl });
  if (verdict.kind !== 'retry') throw error;
  return inputRefusal('unavailable', verdict.reason);
}
