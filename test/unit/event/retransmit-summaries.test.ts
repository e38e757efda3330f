/** Summaries as they come out of the normalizer: every retransmit is in exactly one, whatever became of its own event. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PeerSummary, totalRetransmits } from '../../../src/event/connection/peer-summary.ts';
import { RETRANSMIT_KINDS, type RetransmitKind, SINGLE_EVENT_KINDS } from '../../../src/event/kinds.ts';
import { createLimits } from '../../../src/event/limits.ts';
import type { ProbeName } from '../../../src/source/probes.ts';
import {
  createNormalizerFixture,
  type NormalizerFixture,
  type RecordFields,
  SECOND,
} from '../../support/record-builder.ts';

const MINUTE = 60 * SECOND;
const EVERY_MINUTE = { intervalNs: MINUTE, maxPeers: 100 };

const RECORDS: Readonly<Record<RetransmitKind, readonly [ProbeName, RecordFields]>> = {
  rto: ['tcp_retransmit_skb', { to: 'ESTABLISHED', congestionState: 4 }],
  fast: ['tcp_retransmit_skb', { to: 'ESTABLISHED', congestionState: 3 }],
  tlp: ['tcp_send_loss_probe', { to: 'ESTABLISHED', newData: 0 }],
  syn: ['tcp_retransmit_skb', { to: 'SYN_SENT' }],
  synack: ['tcp_retransmit_synack', { request: 0x9000 }],
  unknown: ['tcp_retransmit_skb', { to: 'ESTABLISHED' }],
};

function retransmit(fixture: NormalizerFixture, kind: RetransmitKind, fields: RecordFields) {
  const [probe, its] = RECORDS[kind];
  return fixture.feed(probe, { ...its, ...fields });
}

const remoteOf = ({ flow }: PeerSummary) => flow?.remoteAddress ?? null;

/** Lets so many retransmits through at once, and as many again each second. */
function limitOf(perSecond: number) {
  const none = Object.fromEntries(SINGLE_EVENT_KINDS.map((kind) => [kind, 0])) as Record<
    (typeof SINGLE_EVENT_KINDS)[number],
    number
  >;
  return createLimits({ perSecond: { ...none, tcp_retransmit: perSecond }, burstSeconds: 1 });
}

describe('retransmit summaries', () => {
  test('are not made unless asked for', () => {
    const fixture = createNormalizerFixture();
    retransmit(fixture, 'rto', { time: 1 });
    retransmit(fixture, 'rto', { time: 10 * MINUTE });
    fixture.advance(Number.POSITIVE_INFINITY);
    expect(fixture.summaries).toEqual([]);
    expect(fixture.ledger.derived).toBe(0);
  });

  test('come at the end of each interval that had retransmits, one for each peer', () => {
    const fixture = createNormalizerFixture({ summaries: EVERY_MINUTE });
    retransmit(fixture, 'rto', { time: 5 * SECOND, cpu: 3 });
    retransmit(fixture, 'fast', { time: 6 * SECOND, cpu: 1 });
    retransmit(fixture, 'syn', { time: 7 * SECOND, socket: 2, remote: '10.0.0.3', cpu: 1 });
    fixture.advance(MINUTE - 1);
    expect(fixture.summaries).toEqual([]);
    fixture.advance(MINUTE);
    expect(fixture.summaries).toMatchObject([
      {
        flow: { version: 4, localAddress: '10.0.0.1', remoteAddress: '10.0.0.2' },
        cpu: 3,
        counts: { rto: 1, fast: 1, tlp: 0, syn: 0, synack: 0, unknown: 0 },
        suppressed: 0,
        time: MINUTE,
        intervalUs: 60e6,
        ordinal: 1,
      },
      { flow: { remoteAddress: '10.0.0.3' }, cpu: 1, counts: { syn: 1 }, time: MINUTE, ordinal: 2 },
    ]);
    expect(fixture.ledger).toMatchObject({ derived: 2, emitted: 5 });
    // Nothing came in the minutes between, and the record that ends an interval is not in it.
    retransmit(fixture, 'rto', { time: 4.5 * MINUTE });
    const [event] = retransmit(fixture, 'rto', { time: 5 * MINUTE });
    expect(fixture.summaries.slice(2)).toMatchObject([
      { counts: { rto: 1 }, time: 5 * MINUTE, intervalUs: 60e6, ordinal: 1 },
    ]);
    expect(event?.ordinal).toBe(2);
  });

  test('tell peers apart by both addresses and by network namespace', () => {
    const fixture = createNormalizerFixture({ summaries: EVERY_MINUTE });
    const ends: RecordFields[] = [
      {},
      { local: '10.0.0.9' },
      { netns: 7 },
      { local: 'fd00::1', remote: 'fd00::2' },
      { remotePort: 80 },
      { localPort: 9 },
    ];
    for (const [index, its] of ends.entries()) {
      retransmit(fixture, 'rto', { time: 1, socket: 0x100 + index, ...its });
    }
    fixture.advance(Number.POSITIVE_INFINITY);
    expect(
      fixture.summaries.map(({ flow, netns, counts }) => [
        flow?.version,
        flow?.localAddress,
        netns,
        counts.rto,
      ]),
    ).toEqual([
      [4, '10.0.0.1', -1, 3],
      [4, '10.0.0.9', -1, 1],
      [4, '10.0.0.1', 7, 1],
      [6, 'fd00::1', -1, 1],
    ]);
  });

  test('count what a limit suppresses, and what is switched off', () => {
    const limited = createNormalizerFixture({ summaries: EVERY_MINUTE, limits: limitOf(2) });
    for (let index = 0; index < 5; index++) retransmit(limited, 'rto', { time: 1 });
    limited.advance(MINUTE);
    expect(limited.summaries).toMatchObject([{ counts: { rto: 5 }, suppressed: 3 }]);
    expect(limited.ledger).toMatchObject({
      suppressed: { tcp_retransmit: 3 },
      filtered: {},
      derived: 1,
      emitted: 3,
    });

    const off = createNormalizerFixture({ summaries: EVERY_MINUTE, events: [] });
    retransmit(off, 'tlp', { time: 1 });
    off.advance(MINUTE);
    expect(off.summaries).toMatchObject([{ counts: { tlp: 1 }, suppressed: 1 }]);
    expect(off.ledger).toMatchObject({ filtered: { event_disabled: 1 }, suppressed: {}, emitted: 1 });
  });

  test('leave out what is excluded and what is no retransmit', () => {
    const fixture = createNormalizerFixture({
      summaries: EVERY_MINUTE,
      events: [],
      exclusions: { ports: new Set([80]), comms: new Set(['task7']) },
    });
    retransmit(fixture, 'rto', { time: 1, socket: 1, remotePort: 80 });
    fixture.feed('inet_csk_accept', { time: 2, socket: 2, to: 'ESTABLISHED', thread: 7 });
    retransmit(fixture, 'rto', { time: 3, socket: 2 });
    fixture.feed('tcp_retransmit_skb', { time: 4, socket: 3, to: 'ESTABLISHED', error: -16 });
    fixture.feed('tcp_send_loss_probe', { time: 5, socket: 3, to: 'ESTABLISHED', newData: 1 });
    fixture.advance(Number.POSITIVE_INFINITY);
    expect(fixture.summaries).toEqual([]);
    expect(fixture.ledger.emitted).toBe(0);
  });

  test('count the peers that are too many together, without an address', () => {
    const fixture = createNormalizerFixture({ summaries: { intervalNs: MINUTE, maxPeers: 2 } });
    for (let peer = 0; peer < 6; peer++) {
      retransmit(fixture, 'rto', { time: peer, socket: 0x100 + peer, remote: `10.1.0.${peer}`, netns: 5 });
    }
    retransmit(fixture, 'fast', { time: 7, socket: 0x101, remote: '10.1.0.1', netns: 5 });
    retransmit(fixture, 'fast', { time: 8, socket: 0x105, remote: '10.1.0.5', netns: 5 });
    fixture.advance(MINUTE);
    expect(
      fixture.summaries.map((summary) => [remoteOf(summary), summary.netns, summary.counts]),
    ).toMatchObject([
      ['10.1.0.0', 5, { rto: 1, fast: 0 }],
      ['10.1.0.1', 5, { rto: 1, fast: 1 }],
      [null, -1, { rto: 4, fast: 1 }],
    ]);
    // Room for others, in the next one.
    retransmit(fixture, 'rto', { time: MINUTE + 1, socket: 0x105, remote: '10.1.0.5', netns: 5 });
    fixture.advance(2 * MINUTE);
    expect(remoteOf(fixture.summaries.at(-1) as PeerSummary)).toBe('10.1.0.5');
  });

  test('end with the source, and at a change of the settings, after the time that they are of', () => {
    const fixture = createNormalizerFixture({ summaries: EVERY_MINUTE });
    retransmit(fixture, 'rto', { time: 61 * SECOND });
    fixture.advance(70 * SECOND);
    fixture.normalizer.summarize(EVERY_MINUTE);
    expect(fixture.summaries).toEqual([]);
    fixture.normalizer.summarize({ intervalNs: 30 * SECOND, maxPeers: 100 });
    retransmit(fixture, 'rto', { time: 80 * SECOND });
    retransmit(fixture, 'rto', { time: 100 * SECOND });
    fixture.advance(Number.POSITIVE_INFINITY);
    fixture.advance(Number.POSITIVE_INFINITY);
    expect(fixture.summaries.map(({ time, intervalUs, counts }) => [time, intervalUs, counts.rto])).toEqual([
      [70 * SECOND, 10e6, 1],
      [90 * SECOND, 20e6, 1],
      [100 * SECOND, 10e6, 1],
    ]);
    fixture.normalizer.summarize({ intervalNs: 0, maxPeers: 100 });
    retransmit(fixture, 'rto', { time: 200 * SECOND });
    fixture.advance(Number.POSITIVE_INFINITY);
    expect(fixture.summaries).toHaveLength(3);
  });

  test('add up to all retransmits, suppressed or not, however many peers and intervals', () => {
    const given = fc.record({
      after: fc.oneof(fc.constant(0), fc.nat({ max: 20 * SECOND })),
      kind: fc.constantFrom(...RETRANSMIT_KINDS),
      peer: fc.nat({ max: 9 }),
      advances: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(given, { maxLength: 200 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 5 }),
        (steps, maxPeers, perSecond) => {
          const intervalNs = 7 * SECOND;
          const fixture = createNormalizerFixture({
            summaries: { intervalNs, maxPeers },
            limits: limitOf(perSecond),
          });
          const expected = new Map<string, number>();
          let time = 0;
          for (const { after, kind, peer, advances } of steps) {
            time += after;
            retransmit(fixture, kind, {
              time,
              socket: 0x100 + peer,
              request: 0x900 + peer,
              remote: `10.1.0.${peer}`,
            });
            if (advances) fixture.advance(time);
            const key = `${Math.floor(time / intervalNs)} ${kind}`;
            expected.set(key, (expected.get(key) ?? 0) + 1);
          }
          fixture.advance(Number.POSITIVE_INFINITY);

          const { summaries, ledger, events } = fixture;
          const summed = new Map<string, number>();
          const peersOf = new Map<number, (string | null)[]>();
          for (const summary of summaries) {
            const interval = Math.round((summary.time - summary.intervalUs * 1000) / intervalNs);
            for (const kind of RETRANSMIT_KINDS) {
              const key = `${interval} ${kind}`;
              if (summary.counts[kind] > 0) summed.set(key, (summed.get(key) ?? 0) + summary.counts[kind]);
            }
            const its = peersOf.get(interval) ?? [];
            peersOf.set(interval, [...its, remoteOf(summary)]);
            expect(totalRetransmits(summary)).toBeGreaterThan(0);
            expect(summary.suppressed).toBeLessThanOrEqual(totalRetransmits(summary));
          }
          expect(summed).toEqual(expected);
          for (const its of peersOf.values()) {
            expect(new Set(its).size).toBe(its.length);
            expect(its.filter((remote) => remote !== null).length).toBeLessThanOrEqual(maxPeers);
          }
          expect(summaries.reduce((sum, { suppressed }) => sum + suppressed, 0)).toBe(
            ledger.suppressed['tcp_retransmit'] ?? 0,
          );
          expect(events.length + (ledger.suppressed['tcp_retransmit'] ?? 0)).toBe(steps.length);
          expect(ledger.emitted).toBe(events.length + summaries.length);
        },
      ),
      { numRuns: 500 },
    );
  });
});
