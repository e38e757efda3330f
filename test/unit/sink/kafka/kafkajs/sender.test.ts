import type Cluster from 'kafkajs/src/cluster/index.js';
import type { Broker } from 'kafkajs/src/cluster/index.js';
import type Encoder from 'kafkajs/src/protocol/encoder.js';
import type { Exchange } from 'kafkajs/src/protocol/requests/index.js';
import { describe, expect, it } from 'vitest';
import { createSender } from '../../../../../src/sink/kafka/kafkajs/sender.ts';
import { NOT_IDEMPOTENT, type Producer, type Records } from '../../../../../src/sink/kafka/record-batch.ts';

/** Offset of the base sequence in a record batch, version 2. */
const SEQUENCE = 53;
const PRODUCER: Producer = { id: 77n, epoch: 3 };
const retriable = (type: string) => Object.assign(new Error(type), { type, retriable: true });

/** A cluster of one broker with one partition per topic; `answers` are what it says to produce requests. */
function createSending(
  producer: Producer,
  answers: (Error | null)[],
  refresh: () => Promise<void> = async () => {},
) {
  const frames: Buffer[] = [];
  const failures: unknown[] = [];
  const leader = {
    lookupRequest: () => () => ({
      request: { apiVersion: 7, encode: () => Promise.reject(new Error('kafkajs would write it')) },
      response: {},
    }),
    connectionPool: {
      async send(exchange: Exchange) {
        const { buffer } = (await exchange.request.encode()) as Encoder & { readonly buffer: Buffer };
        frames.push(Buffer.from(buffer));
        const answer = answers.shift() ?? null;
        if (answer !== null) throw answer;
      },
    },
  } as unknown as Broker;
  const partitions = [{ partitionId: 0, leader: 1 }];
  const cluster = {
    addTargetTopic: async () => {},
    refreshMetadataIfNecessary: async () => {},
    refreshMetadata: refresh,
    findTopicPartitionMetadata: () => partitions,
    findBroker: async () => leader,
  } as unknown as Cluster;
  const sender = createSender(cluster, producer, {
    host: 'h',
    requestTimeoutMs: 1_000,
    throwUnlessRetriable(error) {
      failures.push(error);
      if ((error as { retriable?: boolean }).retriable !== true) throw error;
    },
  });
  const sequences = (): number[] => frames.map((frame) => frame.readInt32BE(frame.length - 100 + SEQUENCE));
  return { sender, frames, failures, sequences };
}

/** Whose frame is 100 bytes long. */
const records = (count: number): Records => ({ count, bytes: Buffer.alloc(39, count), codec: 0 });

describe('a sender', () => {
  it('numbers the records of each topic on their own', async () => {
    const { sender, sequences } = createSending(PRODUCER, []);
    await sender.send('a', records(5));
    await sender.send('a', records(2));
    await sender.send('b', records(9));
    await sender.send('a', records(1));
    expect(sequences()).toEqual([0, 5, 0, 7]);
  });

  it('numbers nothing for a producer that is not idempotent', async () => {
    const { sender, sequences } = createSending(NOT_IDEMPOTENT, []);
    await sender.send('a', records(5));
    await sender.send('a', records(5));
    expect(sequences()).toEqual([-1, -1]);
  });

  it('repeats the same bytes, and counts them once', async () => {
    const fault = retriable('NOT_LEADER_FOR_PARTITION');
    const { sender, frames, failures, sequences } = createSending(PRODUCER, [fault, fault, null]);
    await sender.send('a', records(5));
    expect(frames[1]?.equals(frames[0] ?? Buffer.alloc(0))).toBe(true);
    expect(frames[2]?.equals(frames[0] ?? Buffer.alloc(0))).toBe(true);
    expect(failures).toEqual([fault, fault]);
    await sender.send('a', records(1));
    expect(sequences()).toEqual([0, 0, 0, 5]);
  });

  it('gives up at an error that cannot be repeated, and does not count the records', async () => {
    const refused = Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE', retriable: false });
    const { sender, sequences } = createSending(PRODUCER, [refused]);
    await expect(sender.send('a', records(5))).rejects.toBe(refused);
    await sender.send('a', records(2));
    expect(sequences()).toEqual([0, 0]);
  });

  it('ends when the topic was deleted, which only the metadata tell', async () => {
    const unknown = retriable('UNKNOWN_TOPIC_OR_PARTITION');
    const { sender } = createSending(PRODUCER, [unknown], () => Promise.reject(unknown));
    await expect(sender.send('a', records(5))).rejects.toMatchObject({
      message: 'a topic was deleted',
      type: 'UNKNOWN_TOPIC_OR_PARTITION',
    });
  });
});
