import { expect, test } from 'vitest';
import { createConnection } from '../../../../src/event/connection/connection.ts';
import { createRecentlyClosed } from '../../../../src/event/connection/recently-closed.ts';

test('the last 256 closed connections are found by their key, older ones are not', () => {
  const closed = createRecentlyClosed();
  for (let key = 0; key < 257; key++) closed.add(createConnection(key, `id-${key}`, 'active'));
  expect(closed.find(0)).toBeUndefined();
  expect(closed.find(1)?.id).toBe('id-1');
  expect(closed.find(256)?.id).toBe('id-256');
});

test('a socket that was closed again is found as its last connection, and is young again', () => {
  const closed = createRecentlyClosed();
  closed.add(createConnection(0, 'first', 'active'));
  for (let key = 1; key < 256; key++) closed.add(createConnection(key, 'other', 'active'));
  closed.add(createConnection(0, 'second', 'active'));
  closed.add(createConnection(256, 'other', 'active'));
  expect(closed.find(0)?.id).toBe('second');
  expect(closed.find(1)).toBeUndefined();
});
