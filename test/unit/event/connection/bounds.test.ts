import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { NO_EXCLUSIONS } from '../../../../src/event/exclusions.ts';
import { SINGLE_EVENT_KINDS } from '../../../../src/event/kinds.ts';
import { NO_LIMITS } from '../../../../src/event/limits.ts';
import { createNormalizer } from '../../../../src/event/normalizer.ts';
import { NO_SUMMARIES } from '../../../../src/event/retransmit-summaries.ts';
import { createLedger, imbalances } from '../../../../src/ledger/ledger.ts';
import { connect, only } from '../../../support/connection-walks.ts';
import { createNormalizerFixture, recordOf, SECOND } from '../../../support/record-builder.ts';
import { taskOf } from '../../../support/tasks.ts';

describe('the bound on connections', () => {
  test('forgets the one longest without a record, and counts it', () => {
    const fixture = createNormalizerFixture({ maxConnections: 2 });
    const [first] = connect(fixture, { socket: 1 });
    const [second] = connect(fixture, { socket: 2 });
    fixture.feed('tcp_retransmit_skb', { socket: 1, time: SECOND, to: 'ESTABLISHED' });
    connect(fixture, { socket: 3 });
    expect([fixture.normalizer.connections, fixture.normalizer.evicted]).toEqual([2, 1]);
    const kept = only(fixture.change('ESTABLISHED', 'FIN_WAIT1', { socket: 1, time: 2 * SECOND }));
    expect(kept).toMatchObject({ id: first?.id });
    const forgotten = only(fixture.change('ESTABLISHED', 'FIN_WAIT1', { socket: 2, time: 2 * SECOND }));
    expect(forgotten.id).not.toBe(second?.id);
    expect(forgotten).toMatchObject({ durationUs: -1, direction: 'unknown' });
    expect(fixture.normalizer.evicted).toBe(2);
  });

  test('releases what waits', () => {
    const fixture = createNormalizerFixture({ maxConnections: 2 });
    for (const socket of [1, 2]) fixture.change('CLOSE', 'SYN_SENT', { socket, time: socket, localPort: 0 });
    const released = fixture.change('CLOSE', 'SYN_SENT', { socket: 3, time: 3, localPort: 0 });
    expect(released.map(({ kind, time, localPort }) => [kind, time, localPort])).toEqual([
      ['tcp_state', 1, null],
      ['tcp_connect', 1, null],
    ]);
    expect(fixture.ledger.held).toBe(2);
  });
});

test('a flood of SYNs that nobody completes does not grow the heap', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const ledger = createLedger([]);
  const normalizer = createNormalizer({
    tasks: () => taskOf(0, 'swapper/0', { isKernel: true }),
    session: 'cafe0123',
    maxConnections: 1024,
    countsRetransmits: true,
    recordsAccepts: false,
    ledger,
    events: new Set(SINGLE_EVENT_KINDS),
    exclusions: NO_EXCLUSIONS,
    limits: NO_LIMITS,
    summaries: NO_SUMMARIES,
    ownPid: null,
    ownSockets: () => [],
    emit() {},
    onSettled() {},
  });
  const record = recordOf('tcp_retransmit_synack', { localPort: 443 });
  const flood = (from: number, to: number) => {
    for (let peer = from; peer < to; peer++) {
      // The kernel uses the memory of requests that have expired again.
      record.request = 0x1000 + (peer % 512) * 64;
      record.remotePort = 1 + (peer % 65_535);
      record.bytes.writeUInt32LE(peer, record.remoteAddress);
      normalizer.accept(record);
    }
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = flood(0, 10_000);
  const after = flood(10_000, 160_000);
  // One that is kept for each costs some 800 bytes.
  expect(after - before).toBeLessThan(150_000 * 100);
  expect(normalizer.connections).toBe(512);
  expect(imbalances(ledger)).toEqual([]);
});
