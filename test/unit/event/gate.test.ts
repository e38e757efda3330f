import { describe, expect, test } from 'vitest';
import { NO_EXCLUSIONS } from '../../../src/event/exclusions.ts';
import { SINGLE_EVENT_KINDS } from '../../../src/event/kinds.ts';
import { accept, connect, only, rangeOf } from '../../support/connection-walks.ts';
import { createNormalizerFixture, SECOND } from '../../support/record-builder.ts';

describe('what is not wanted', () => {
  test.each([
    ['the remote address', { ranges: [rangeOf('10.0.0.2/31')] }, 'excluded_address'],
    ['the local address', { ranges: [rangeOf('10.0.0.1')] }, 'excluded_address'],
    ['the remote port', { ports: new Set([443]) }, 'excluded_port'],
    ['the local port, known only later', { ports: new Set([40_000]) }, 'excluded_port'],
    ['the process', { comms: new Set(['task7']) }, 'excluded_comm'],
    ['its unit', { units: new Set(['unit7.service']) }, 'excluded_unit'],
  ])('is left out by %s, and counted', (_, exclusions, reason) => {
    const fixture = createNormalizerFixture({ exclusions });
    expect(connect(fixture)).toEqual([]);
    fixture.change('ESTABLISHED', 'CLOSE', { time: SECOND });
    expect(fixture.events).toEqual([]);
    expect(fixture.ledger.filtered).toEqual({ [reason]: 6 });
  });

  test('is chosen again at a reload, also for connections that are there', () => {
    const fixture = createNormalizerFixture();
    connect(fixture);
    fixture.normalizer.choose(new Set(SINGLE_EVENT_KINDS), { ...NO_EXCLUSIONS, ports: new Set([443]) });
    expect(fixture.feed('tcp_retransmit_skb', { time: SECOND })).toEqual([]);
    expect(fixture.change('ESTABLISHED', 'FIN_WAIT1', { time: SECOND })).toEqual([]);
    fixture.normalizer.choose(new Set(SINGLE_EVENT_KINDS), NO_EXCLUSIONS);
    expect(fixture.feed('tcp_send_reset', { time: SECOND, to: 'FIN_WAIT1' })).toHaveLength(1);
    expect(fixture.change('FIN_WAIT1', 'CLOSE', { time: 2 * SECOND })).toHaveLength(2);
    expect(fixture.ledger.filtered).toEqual({ excluded_port: 2 });
  });

  test("is the agent's own traffic, resets at its end included", () => {
    const fixture = createNormalizerFixture({ ownPid: 7 });
    expect(connect(fixture)).toEqual([]);
    fixture.normalizer.choose(new Set(SINGLE_EVENT_KINDS), NO_EXCLUSIONS);
    expect(fixture.feed('tcp_retransmit_skb', { time: SECOND, to: 'ESTABLISHED' })).toEqual([]);
    expect(fixture.change('ESTABLISHED', 'CLOSE', { time: SECOND })).toEqual([]);
    expect(fixture.feed('tcp_send_reset', { time: SECOND, to: 'CLOSE' })).toEqual([]);
    expect(fixture.ledger.filtered).toEqual({ own_traffic: 8 });
    expect(connect(fixture, { socket: 0x2000, thread: 8 })).toHaveLength(4);
  });

  test("is the agent's own traffic whose beginning was not seen, by the ports of its sinks", () => {
    const fixture = createNormalizerFixture({
      ownPid: 7,
      ownSockets: [{ localPort: 40_000, remotePort: 443 }],
    });
    const ends = { localPort: 40_000, remotePort: 443, thread: 9, to: 'ESTABLISHED' } as const;
    expect(fixture.feed('tcp_retransmit_skb', { ...ends, time: SECOND })).toEqual([]);
    expect(fixture.feed('tcp_retransmit_skb', { ...ends, localPort: 40_001, time: SECOND })).toHaveLength(1);
    expect(fixture.ledger.filtered).toEqual({ own_traffic: 1 });
  });

  test('is not decided by what merely ran on the CPU', () => {
    const fixture = createNormalizerFixture({ exclusions: { comms: new Set(['task9']) } });
    const ends = { localPort: 40_000, remotePort: 443, thread: 9, to: 'ESTABLISHED' } as const;
    expect(fixture.feed('tcp_retransmit_skb', { ...ends, time: SECOND })).toHaveLength(1);
  });

  test('is not what others open to the agent, such as a scrape of its metrics', () => {
    const fixture = createNormalizerFixture({ ownPid: 7 });
    expect(accept(fixture)).toHaveLength(3);
    const ends = { localPort: 443, remotePort: 50_000, thread: 7, inTask: true };
    expect(fixture.change('ESTABLISHED', 'FIN_WAIT1', { ...ends, time: SECOND })).toHaveLength(1);
    fixture.normalizer.choose(new Set(SINGLE_EVENT_KINDS), NO_EXCLUSIONS);
    expect(fixture.change('FIN_WAIT1', 'CLOSE', { ...ends, time: 2 * SECOND })).toHaveLength(2);
    expect(fixture.ledger.filtered).toEqual({});
  });

  test('is an event that is switched off', () => {
    const fixture = createNormalizerFixture({ events: ['tcp_life'] });
    connect(fixture);
    const end = fixture.change('ESTABLISHED', 'CLOSE', { time: SECOND });
    expect(only(end)).toMatchObject({ kind: 'tcp_life', ordinal: 0, durationUs: 990_000 });
    expect(fixture.ledger.filtered).toEqual({ event_disabled: 5 });
  });

  test('is what is not TCP', () => {
    const fixture = createNormalizerFixture();
    expect(fixture.change('CLOSE', 'SYN_SENT', { protocol: 132 })).toEqual([]);
    expect(fixture.ledger.filtered).toEqual({ not_tcp: 1 });
    expect(fixture.normalizer.connections).toBe(0);
  });
});
