/** The timers of kafkajs' own request queue, as timers.ts leaves them. */
import '../../../../../src/sink/kafka/kafkajs/timers.ts';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const REQUEST_TIMEOUT_MS = 5_000;

function openQueue() {
  const Queue = RequestQueue as unknown as new (options: object) => RequestQueue;
  const queue = new Queue({
    maxInFlightRequests: null,
    requestTimeout: REQUEST_TIMEOUT_MS,
    enforceRequestTimeout: true,
    clientId: 'ktc',
    broker: '127.0.0.1:9092',
    logger: { debug: () => {}, warn: () => {} },
  });
  queue.scheduleRequestTimeoutCheck();
  const sent: number[] = [];
  const ended: string[] = [];
  const send = (correlationId: number) =>
    queue.push({
      entry: {
        ...{ apiKey: 0, apiName: 'Produce', apiVersion: 7, correlationId },
        resolve: () => ended.push(`${correlationId} is answered`),
        reject: () => ended.push(`${correlationId} is late`),
      },
      expectResponse: true,
      requestTimeout: null,
      sendRequest: () => sent.push(correlationId),
    });
  const answer = (correlationId: number) => queue.fulfillRequest({ correlationId, payload: Buffer.alloc(0) });
  return { queue, sent, ended, send, answer };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('an answered request leaves no timer behind, and the next one is looked after again', () => {
  const { ended, send, answer } = openQueue();
  for (const id of [1, 2, 3]) {
    send(id);
    expect(vi.getTimerCount()).toBe(1);
    answer(id);
    expect(vi.getTimerCount()).toBe(0);
  }
  send(4);
  vi.advanceTimersByTime(REQUEST_TIMEOUT_MS + 1_000);
  expect(ended).toEqual(['1 is answered', '2 is answered', '3 is answered', '4 is late']);
  expect(vi.getTimerCount()).toBe(0);
});

test('a request that is under way is looked after while others are answered', () => {
  const { ended, send, answer } = openQueue();
  send(1);
  send(2);
  answer(1);
  vi.advanceTimersByTime(REQUEST_TIMEOUT_MS + 1_000);
  expect(ended).toEqual(['1 is answered', '2 is late']);
});

test('a request that waits for a broker with a quota is sent in its time, whatever is answered meanwhile', () => {
  const { queue, sent, send, answer } = openQueue();
  send(1);
  queue.maybeThrottle(500);
  send(2);
  answer(1);
  expect(sent).toEqual([1]);
  vi.advanceTimersByTime(510);
  expect(sent).toEqual([1, 2]);
});
