import { describe, expect, it } from 'vitest';
import { createKeyOf, type RecordKey } from '../../../../src/sink/kafka/record-key.ts';
import { batchOf } from '../../../support/batch.ts';

// A label may be named like a field, and a value may look like one.
const events = [1, 2].map((number) => ({
  event_id: `id-${number}`,
  labels: { event_id: 'label', connection_id: 'label', note: '"event_id":"x","connection_id":"y"' },
  comm: '"connection_id":"z"',
  connection_id: `connection-${number}`,
  direction: 'active',
}));

function keys(key: RecordKey): string[] {
  const { bytes, offsets, count } = batchOf(events);
  const keyOf = createKeyOf(key, 'db-17');
  return Array.from({ length: count }, (_, index) =>
    keyOf(bytes, offsets[index] ?? 0, (offsets[index + 1] ?? 0) - 1).toString(),
  );
}

describe('the key of a record', () => {
  it("is each event's own field, whatever its labels are named", () => {
    expect(keys('event_id')).toEqual(['id-1', 'id-2']);
    expect(keys('connection_id')).toEqual(['connection-1', 'connection-2']);
  });

  it('is that of the event itself where it is of no one connection', () => {
    const { bytes, offsets } = batchOf([
      { event_id: 'a', connection_id: 'b' },
      { event_id: 'c', labels: { connection_id: 'label' }, connection_id: null, direction: null },
    ]);
    const keyOf = createKeyOf('connection_id', '');
    expect(keyOf(bytes, offsets[1] ?? 0, (offsets[2] ?? 0) - 1).toString()).toBe('c');
  });

  it('is that of the event itself for a host_status, whatever its labels and interfaces are named', () => {
    const { bytes, offsets } = batchOf([
      { event_id: 'a', event: 'tcp_life', connection_id: 'b' },
      {
        event_id: 'c',
        event: 'host_status',
        labels: { connection_id: 'label' },
        interfaces: { connection_id: {} },
      },
    ]);
    const keyOf = createKeyOf('connection_id', '');
    expect(keyOf(bytes, offsets[0] ?? 0, (offsets[1] ?? 0) - 1).toString()).toBe('b');
    expect(keyOf(bytes, offsets[1] ?? 0, (offsets[2] ?? 0) - 1).toString()).toBe('c');
  });

  it('is the same host for all', () => {
    expect(keys('host')).toEqual(['db-17', 'db-17']);
  });

  it('is never taken from a neighbour', () => {
    const { bytes, offsets } = batchOf([
      { event_id: 'a', connection_id: 'b' },
      { other: 1 },
      { event_id: 'c' },
    ]);
    for (const key of ['event_id', 'connection_id'] as const) {
      expect(() => createKeyOf(key, '')(bytes, offsets[1] ?? 0, (offsets[2] ?? 0) - 1)).toThrow(
        `an event without "${key}": reached the Kafka sink: {"other":1}`,
      );
    }
  });
});
