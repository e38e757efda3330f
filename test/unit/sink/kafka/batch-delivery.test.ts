import { describe, expect, it } from 'vitest';
import { deliverBatch } from '../../../../src/sink/kafka/batch-delivery.ts';
import type { KafkaConnection } from '../../../../src/sink/kafka/connection.ts';
import type { KafkaVerdict } from '../../../../src/sink/kafka/kafkajs/faults.ts';
import { createTopicChoice } from '../../../../src/sink/kafka/topic-choice.ts';
import { batchOf, batchOfTexts } from '../../../support/batch.ts';
import { silentLog } from '../../../support/silent-log.ts';

interface Request {
  readonly topic: string;
  readonly indexes: readonly number[];
}

/** Delivers events of these kinds to brokers that answer each request by `answer`. */
async function deliver(
  kinds: readonly string[],
  answer: (request: Request) => KafkaVerdict,
  options: { maxRequestBytes?: number; deliveryTimeoutMs?: number; open?: KafkaConnection['open'] } = {},
) {
  const requests: Request[] = [];
  let encoded: number[] = [];
  const link = {
    async produce(topic: string) {
      const request = { topic, indexes: encoded };
      requests.push(request);
      return answer(request);
    },
    probe: async () => delivered(),
  };
  const connection: KafkaConnection = {
    open: options.open ?? (async () => ({ ok: true, value: link })),
    sockets: () => [],
    close: async () => {},
  };
  const result = await deliverBatch(batchOf(kinds.map((event) => ({ event }))), connection, {
    brokers: ['b:1'],
    deliveryTimeoutMs: options.deliveryTimeoutMs ?? 60_000,
    maxRequestBytes: options.maxRequestBytes ?? 1_000_000,
    topicChoice: createTopicChoice('t.{event}'),
    encode(_, indexes) {
      encoded = [...indexes];
      return { count: indexes.length, bytes: Buffer.alloc(0), codec: 0 };
    },
    log: silentLog,
  });
  return { result, requests };
}

const delivered = (): KafkaVerdict => ({ kind: 'delivered' });
const retry: KafkaVerdict = { kind: 'retry', reason: 'no leader', mayPass: true };

describe('a batch for Kafka', () => {
  it('becomes one request per topic, in order', async () => {
    const { result, requests } = await deliver(['a', 'b', 'a', 'b', 'a'], delivered);
    expect(result).toEqual({ refused: [], retry: null });
    expect(requests).toEqual([
      { topic: 't.a', indexes: [0, 2, 4] },
      { topic: 't.b', indexes: [1, 3] },
    ]);
  });

  it('is cut at the bound of a request, which a single larger event may exceed', async () => {
    // Each event is 14 bytes with its newline, and 128 of framing.
    const cut = async (maxRequestBytes: number) =>
      (await deliver(Array(5).fill('a'), delivered, { maxRequestBytes })).requests.map(
        ({ indexes }) => indexes.length,
      );
    expect(await cut(5 * 142)).toEqual([5]);
    expect(await cut(5 * 142 - 1)).toEqual([4, 1]);
    expect(await cut(2 * 142)).toEqual([2, 2, 1]);
    expect(await cut(1)).toEqual([1, 1, 1, 1, 1]);
  });

  it('is halved until the event that the broker refuses is alone', async () => {
    const { result, requests } = await deliver(Array(8).fill('a'), ({ indexes }) =>
      indexes.includes(5) ? { kind: 'split', reason: 'message_too_large' } : { kind: 'delivered' },
    );
    expect(result).toEqual({ refused: [{ index: 5, reason: 'message_too_large' }], retry: null });
    expect(requests.map(({ indexes }) => indexes)).toEqual([
      [0, 1, 2, 3, 4, 5, 6, 7],
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [4, 5],
      [4],
      [5],
      [6, 7],
    ]);
  });

  it('is given back as a whole when nothing of it was settled', async () => {
    const { result, requests } = await deliver(['a', 'b'], () => retry);
    expect(result).toEqual({ refused: [], retry: { events: 'rest', afterMs: null, reason: 'no leader' } });
    expect(requests).toHaveLength(1);
  });

  it('is given back without the events that are settled, the refused ones among them', async () => {
    const { result } = await deliver(['a', 'b', 'a', 'c'], ({ topic, indexes }) => {
      if (topic === 't.b') return retry;
      return indexes.includes(2) ? { kind: 'split', reason: 'invalid_record' } : { kind: 'delivered' };
    });
    expect(result).toEqual({
      refused: [{ index: 2, reason: 'invalid_record' }],
      retry: { events: [1, 3], afterMs: null, reason: 'no leader' },
    });
  });

  it('is given back when there is no connection, or no time left', async () => {
    const closed = await deliver(['a'], delivered, {
      open: async () => ({ ok: false, problem: 'connect ECONNREFUSED', mayPass: true }),
    });
    expect(closed.result.retry?.reason).toBe('connect ECONNREFUSED');
    const late = await deliver(['a'], delivered, { deliveryTimeoutMs: 0 });
    expect(late.result.retry?.reason).toBe('Kafka at b:1: batch not done within 0 ms');
    expect([...closed.requests, ...late.requests]).toEqual([]);
  });

  it('without events needs no request', async () => {
    const { result, requests } = await deliver([], delivered);
    expect([result, requests]).toEqual([{ refused: [], retry: null }, []]);
    expect(batchOfTexts([]).count).toBe(0);
  });
});
