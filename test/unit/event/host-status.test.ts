/** The place of a `host_status` among the events: its ordinal, what it says of the others', and its booking. */
import { expect, test } from 'vitest';
import { NO_EXCLUSIONS } from '../../../src/event/exclusions.ts';
import type { StatusParts } from '../../../src/event/host-status.ts';
import { flatAccount } from '../../../src/ledger/flat-account.ts';
import { imbalances } from '../../../src/ledger/ledger.ts';
import { connect } from '../../support/connection-walks.ts';
import { createNormalizerFixture, type NormalizerFixture, SECOND } from '../../support/record-builder.ts';

function statusOf({ normalizer, ledger }: NormalizerFixture, time: number): number {
  const parts: StatusParts = {
    agent: { version: '1', sourceKind: 'module', configHash: '9f86d081884c7d65' },
    report: { time, netns: 1, addresses: [], counters: {}, interfaces: {} },
    ledger: flatAccount(ledger),
  };
  return normalizer.status(parts);
}

test('it says how many events each CPU has emitted before it, and counts on CPU 0 itself', () => {
  const fixture = createNormalizerFixture();
  expect(statusOf(fixture, 1.5 * SECOND)).toBe(0);
  connect(fixture);
  const ends = { localPort: 40_000, remotePort: 443, thread: 9, to: 'ESTABLISHED' } as const;
  fixture.feed('tcp_retransmit_skb', { ...ends, cpu: 3, time: 2 * SECOND });
  expect(statusOf(fixture, 61 * SECOND)).toBe(5);
  expect(statusOf(fixture, 62 * SECOND)).toBe(6);
  expect(fixture.statuses.map(({ ordinals, uptimeSeconds }) => [ordinals, uptimeSeconds])).toEqual([
    [{ 0: 0 }, 1],
    [{ 0: 5, 3: 1 }, 61],
    [{ 0: 6, 3: 1 }, 62],
  ]);
  for (const { ordinals, ledger } of fixture.statuses)
    expect(Object.values(ordinals).reduce((sum, count) => sum + count, 0)).toBe(ledger['emitted']);
});

test('it is a derived event, so the account balances with it, and in what it says', () => {
  const fixture = createNormalizerFixture();
  connect(fixture);
  statusOf(fixture, SECOND);
  expect(imbalances(fixture.ledger)).toEqual([]);
  expect(fixture.ledger).toMatchObject({ decoded: 2, derived: 3, emitted: 5 });
  expect(fixture.statuses[0]?.ledger).toMatchObject({ decoded: 2, derived: 2, emitted: 4 });
});

test('no limit, exclusion or choice of events leaves it out', () => {
  const fixture = createNormalizerFixture({ events: [], limits: { admits: () => false } });
  fixture.normalizer.choose(new Set(), { ...NO_EXCLUSIONS, ports: new Set([443]) });
  connect(fixture);
  statusOf(fixture, SECOND);
  expect(fixture.events).toEqual([]);
  expect(fixture.statuses).toHaveLength(1);
});
