import { expect, test } from 'vitest';
import { type Connection, createConnection } from '../../../../src/event/connection/connection.ts';
import { createRequests } from '../../../../src/event/connection/requests.ts';
import type { Direction } from '../../../../src/event/kinds.ts';

const SECOND_NS = 1_000_000_000;

function connectionWith(
  id: string,
  { direction = 'passive' as Direction, remotePort = 40_000 } = {},
): Connection {
  const connection = createConnection(1, id, direction);
  connection.flow = {
    version: 4,
    localAddress: '10.0.0.1',
    localPort: 443,
    remoteAddress: '10.0.0.2',
    remotePort,
    communityId: null,
  };
  return connection;
}

test('a connection goes on under the identifier of its request, with its retransmits', () => {
  const requests = createRequests();
  const request = connectionWith('request');
  request.retransmits = 3;
  requests.note(request, SECOND_NS);
  const connection = connectionWith('connection');
  connection.retransmits = 1;
  expect(requests.adopt(connection, 2 * SECOND_NS)).toBe(request);
  expect(connection).toMatchObject({ id: 'request', retransmits: 4 });
  expect(requests.adopt(connectionWith('another'), 2 * SECOND_NS)).toBeNull();
});

test('a request is forgotten 120 s after its last SYN-ACK: the next connection between the ends is another', () => {
  for (const [age, id] of [
    [120 * SECOND_NS - 1, 'request'],
    [120 * SECOND_NS, 'connection'],
  ] as const) {
    const requests = createRequests();
    const request = connectionWith('request');
    requests.note(request, SECOND_NS);
    const connection = connectionWith('connection');
    expect(requests.adopt(connection, SECOND_NS + age)).toBe(request);
    expect(connection.id).toBe(id);
  }
});

test('a connection with other ends, or that this host opened, comes of no request', () => {
  const requests = createRequests();
  requests.note(connectionWith('request'), 0);
  expect(requests.adopt(connectionWith('a', { remotePort: 40_001 }), 0)).toBeNull();
  expect(requests.adopt(connectionWith('b', { direction: 'active' }), 0)).toBeNull();
});

test('a request that was forgotten is adopted by nobody, and forgetting another one with its ends keeps it', () => {
  const requests = createRequests();
  const request = connectionWith('request');
  requests.note(request, 0);
  requests.forget(connectionWith('another'));
  expect(requests.adopt(connectionWith('connection'), 0)).toBe(request);
  requests.note(request, 0);
  requests.forget(request);
  expect(requests.adopt(connectionWith('connection'), 0)).toBeNull();
});

test('requests that nobody completes are forgotten, the oldest first', () => {
  const requests = createRequests();
  const [first, second] = [connectionWith('first'), connectionWith('second', { remotePort: 40_001 })];
  requests.note(first, 0);
  requests.note(second, SECOND_NS);
  requests.note(first, 2 * SECOND_NS);
  expect(requests.expireOne(121 * SECOND_NS - 1)).toBeNull();
  expect(requests.expireOne(121 * SECOND_NS)).toBe(second);
  expect(requests.expireOne(121 * SECOND_NS)).toBeNull();
  expect(requests.expireOne(122 * SECOND_NS)).toBe(first);
  expect(requests.expireOne(Number.POSITIVE_INFINITY)).toBeNull();
});

test('a request gives way to another one with its ends', () => {
  const requests = createRequests();
  const [first, second] = [connectionWith('first'), connectionWith('second')];
  expect(requests.note(first, 0)).toBeNull();
  expect(requests.note(first, 1)).toBeNull();
  expect(requests.note(second, 2)).toBe(first);
  expect(requests.adopt(connectionWith('connection'), 3)).toBe(second);
});

test('a connection whose beginning was not seen is known as passive by its request', () => {
  const requests = createRequests();
  requests.note(connectionWith('request'), 0);
  const connection = connectionWith('connection', { direction: 'unknown' });
  requests.adopt(connection, 1);
  expect(connection).toMatchObject({ id: 'request', direction: 'passive' });
});
