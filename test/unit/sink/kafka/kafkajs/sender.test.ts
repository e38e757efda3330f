import type Cluster from 'kafkajs/src/cluster/index.js';
import type { Broker } from 'kafkajs/src/cluster/index.js';
import type { PushedRequest } from 'kafkajs/src/network/requestQueue/index.js';
import { describe, expect, it } from 'vitest';
import { createSender } from '../../../../../src/sink/kafka/kafkajs/sender.ts';
import { NOT_IDEMPOTENT, type Producer, type Records } from '../../../../../src/sink/kafka/record-batch.ts';

/** Offset of the base sequence in a record batch, version 2. */
const SEQUENCE = 53;
const PRODUCER: Producer = { id: 77n, epoch: 3 };
const CLIENT = 'ktc';
/** Its length, the API and its version, the correlation id, and the client's name. */
const REQUEST_HEADER_BYTES = 4 + 2 + 2 + 4 + 2 + CLIENT.length;
const retriable = (type: string) => Object.assign(new Error(type), { type, retriable: true });

/** A cluster of one broker with one partition per topic; `answers` are what it says to produce requests. */
function createSending(
  producer: Producer,
  answers: (Error | object | null)[],
  refresh: (partitions: { partitionId: number; leader: number }[]) => Promise<void> = async () => {},
  partitionsAtFirst = 1,
) {
  const frames: Buffer[] = [];
  const failures: unknown[] = [];
  let correlationId = 0;
  const connection = {
    clientId: CLIENT,
    failIfNotConnected: () => {},
    nextCorrelationId: () => correlationId++,
    socket: {
      write(bytes: Buffer) {
        expect(bytes.readInt32BE()).toBe(bytes.length - 4);
        frames.push(bytes.subarray(REQUEST_HEADER_BYTES));
      },
    },
    requestQueue: {
      push({ entry, sendRequest }: PushedRequest) {
        sendRequest();
        const answer = answers.shift() ?? null;
        if (answer instanceof Error) entry.reject(answer);
        else entry.resolve({ payload: Buffer.from(JSON.stringify(answer ?? {})) });
      },
      maybeThrottle: () => {},
    },
  };
  const leader = {
    lookupRequest: () => () => ({
      request: { apiKey: 0, apiName: 'Produce', apiVersion: 7 },
      response: { decode: async (payload: Buffer) => JSON.parse(String(payload)), parse: async () => {} },
    }),
    connectionPool: { getConnection: async () => connection },
  } as unknown as Broker;
  const partitions = Array.from({ length: partitionsAtFirst }, (_, partitionId) => ({
    partitionId,
    leader: 1,
  }));
  const throttled: number[] = [];
  const cluster = {
    addTargetTopic: async () => {},
    refreshMetadataIfNecessary: async () => {},
    refreshMetadata: () => refresh(partitions),
    findTopicPartitionMetadata: () => partitions,
    findBroker: async () => leader,
  } as unknown as Cluster;
  const sender = createSender(cluster, producer, {
    // In the last quarter of 12 partitions, and of 100.
    host: 'c',
    requestTimeoutMs: 1_000,
    onThrottled: (milliseconds) => throttled.push(milliseconds),
    throwUnlessRetriable(error) {
      failures.push(error);
      if ((error as { retriable?: boolean }).retriable !== true) throw error;
    },
  });
  const sequences = (): number[] => frames.map((frame) => frame.readInt32BE(frame.length - 100 + SEQUENCE));
  /** Behind the transactional id, acks, the timeout, the count of topics, a name of one letter, and the count of partitions. */
  const partitionsSentTo = (): number[] => frames.map((frame) => frame.readInt32BE(2 + 2 + 4 + 4 + 3 + 4));
  return { sender, frames, failures, sequences, partitionsSentTo, throttled };
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

  it.each([
    [12, 1],
    [12, 3],
    [100, 2],
  ])(
    'goes on in a topic that was made again with other partitions, %i and then %i',
    async (before, after) => {
      const unknown = retriable('UNKNOWN_TOPIC_OR_PARTITION');
      const { sender, sequences, partitionsSentTo } = createSending(
        PRODUCER,
        [null, unknown, null],
        async (partitions) => void partitions.splice(after),
        before,
      );
      await sender.send('a', records(5));
      await sender.send('a', records(3));
      await sender.send('a', records(2));
      const [first, second, third, fourth] = partitionsSentTo();
      expect(first).toBeGreaterThanOrEqual(after);
      expect(second).toBe(first);
      expect(third).toBeLessThan(after);
      expect(fourth).toBe(third);
      expect(sequences()).toEqual([0, 5, 0, 3]);
    },
  );

  it('stays in its partition, where a repetition is known, while others are added', async () => {
    const unknown = retriable('NOT_LEADER_FOR_PARTITION');
    const { sender, frames, partitionsSentTo } = createSending(
      PRODUCER,
      [unknown, null],
      async (partitions) => {
        for (let partitionId = 1; partitionId < 50; partitionId++)
          partitions.push({ partitionId, leader: 1 });
      },
    );
    await sender.send('a', records(5));
    expect(partitionsSentTo()).toEqual([0, 0]);
    expect(frames[1]?.equals(frames[0] ?? Buffer.alloc(0))).toBe(true);
  });

  it.each([
    ['as brokers before Kafka 2.0 tell it', { throttleTime: 700 }, [700]],
    ['as newer ones do', { throttleTime: 0, clientSideThrottleTime: 900 }, [900]],
    ['not at all', { throttleTime: 0, clientSideThrottleTime: 0 }, []],
  ])('tells of a quota, %s', async (_, answer, told) => {
    const { sender, throttled } = createSending(PRODUCER, [answer]);
    await sender.send('a', records(1));
    expect(throttled).toEqual(told);
  });

  it.each(['CORRUPT_MESSAGE', 'INVALID_RECORD'])(
    'has nothing against a leader that answers a probe by %s',
    async (type) => {
      const { sender, frames, sequences } = createSending(PRODUCER, [retriable(type)]);
      await sender.probe('a');
      expect(frames).toHaveLength(1);
      await sender.send('a', records(1));
      expect(sequences()[1]).toBe(0);
    },
  );

  it('asks a leader again that has just been chosen, and gives its answer where that does not change', async () => {
    const answers = ['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE', 'CORRUPT_MESSAGE'].map(retriable);
    const { sender, frames } = createSending(PRODUCER, answers);
    await sender.probe('a');
    expect(frames).toHaveLength(3);
    const still = createSending(PRODUCER, Array(100).fill(retriable('NOT_LEADER_FOR_PARTITION')));
    await expect(still.sender.probe('a')).rejects.toMatchObject({ type: 'NOT_LEADER_FOR_PARTITION' });
  });

  it.each(['TOPIC_AUTHORIZATION_FAILED', 'NOT_ENOUGH_REPLICAS', 'MESSAGE_TOO_LARGE'])(
    'gives the answer to a probe that records would get too, %s',
    async (type) => {
      const { sender } = createSending(PRODUCER, [retriable(type)]);
      await expect(sender.probe('a')).rejects.toMatchObject({ type, topics: ['a'] });
    },
  );

  it('ends when the topic was deleted, which only the metadata tell', async () => {
    const unknown = retriable('UNKNOWN_TOPIC_OR_PARTITION');
    const { sender } = createSending(PRODUCER, [unknown], () => Promise.reject(unknown));
    await expect(sender.send('a', records(5))).rejects.toMatchObject({
      message: 'a topic was deleted',
      type: 'UNKNOWN_TOPIC_OR_PARTITION',
    });
  });
});
