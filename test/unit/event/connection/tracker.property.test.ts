/** Many connections at once, records lost or not, sockets' memory used again: what must hold all the same. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TcpState } from '../../../../src/event/kinds.ts';
import type { ProbeName } from '../../../../src/source/probes.ts';
import {
  createNormalizerFixture,
  type NormalizerFixture,
  type RecordFields,
  type SeenEvent,
} from '../../../support/record-builder.ts';

type Random = (below: number) => number;

/** mulberry32: small, and the same for the same seed. */
function randomOf(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) % below;
  };
}

interface Step {
  readonly probe: ProbeName;
  readonly fields: RecordFields;
}

/** One connection as the kernel goes through it. `remotePort` is its own, so that it tells the walks apart. */
interface Walk {
  readonly isActive: boolean;
  readonly remotePort: number;
  readonly steps: readonly Step[];
}

/** The ways from ESTABLISHED to the end (net/ipv4/tcp.c, tcp_input.c). */
const ENDS: readonly (readonly TcpState[])[] = [
  ['FIN_WAIT1', 'FIN_WAIT2', 'CLOSE'],
  ['FIN_WAIT1', 'FIN_WAIT2', 'FIN_WAIT2', 'CLOSE'],
  ['FIN_WAIT1', 'CLOSING', 'CLOSE'],
  ['FIN_WAIT1', 'FIN_WAIT1', 'CLOSE'],
  ['CLOSE_WAIT', 'LAST_ACK', 'CLOSE'],
  ['CLOSE_WAIT', 'CLOSE'],
  ['CLOSE'],
];
const ACTIVE_STARTS: readonly (readonly TcpState[])[] = [
  ['CLOSE', 'SYN_SENT', 'ESTABLISHED'],
  ['CLOSE', 'SYN_SENT', 'SYN_RECV', 'ESTABLISHED'],
];

function pick<T>(random: Random, list: readonly T[]): T {
  return list[random(list.length)] as T;
}

interface Shape {
  /** The kernel sets the peer of a child only after SYN_RECV. */
  readonly peerComesLater: boolean;
}

function createWalk(random: Random, socket: number, remotePort: number, shape: Shape): Walk {
  const isActive = random(2) === 0;
  const ends = { socket, remotePort, localPort: isActive ? 1024 + random(60_000) : 443 };
  const steps: Step[] = [];
  const retransmit = (to: TcpState) => steps.push({ probe: 'tcp_retransmit_skb', fields: { ...ends, to } });
  const start = isActive ? pick(random, ACTIVE_STARTS) : (['LISTEN', 'SYN_RECV', 'ESTABLISHED'] as const);
  const fails = isActive && random(5) === 0;
  const path = fails ? (['CLOSE', 'SYN_SENT', 'CLOSE'] as const) : [...start, ...pick(random, ENDS)];
  if (!isActive) {
    // A request is not the listening socket, and not the child.
    const request = { ...ends, socket: 1, request: socket + 0x10_0000 };
    for (let count = random(3); count > 0; count--) {
      steps.push({ probe: 'tcp_retransmit_synack', fields: request });
    }
  }
  for (const [index, to] of path.entries()) {
    const from = path[index - 1];
    if (from === undefined) continue;
    const isFirst = index === 1;
    const unknown = isFirst && isActive ? { localPort: random(2) * 999 } : {};
    const peerless = isFirst && !isActive && shape.peerComesLater ? { remotePort: 0, remote: '0.0.0.0' } : {};
    steps.push({
      probe: 'tcp_set_state',
      fields: { ...ends, ...unknown, ...peerless, from, to, inTask: random(2) === 0 },
    });
    if (to === 'CLOSE') {
      if (random(3) === 0) steps.push({ probe: 'tcp_send_reset', fields: { ...ends, to } });
    } else {
      for (let count = random(6) - 3; count > 0; count--) retransmit(to);
      if (random(8) === 0) steps.push({ probe: 'tcp_receive_reset', fields: ends });
    }
  }
  return { isActive, remotePort, steps };
}

interface Given extends Step {
  readonly walk: Walk;
  readonly time: number;
}

/** Walks in parallel; each socket's memory carries one at a time. `lossPercent` of the records are left out. */
function giveWalks(
  fixture: NormalizerFixture,
  random: Random,
  count: number,
  lossPercent: number,
  shape: Shape,
): Given[] {
  const given: Given[] = [];
  const active = new Map<number, { walk: Walk; at: number }>();
  let begun = 0;
  let time = 0;
  while (begun < count || active.size > 0) {
    const socket = 0x1000 + random(12) * 0x1000;
    let current = active.get(socket);
    if (current === undefined) {
      if (begun >= count) {
        const left = [...active.keys()];
        current = active.get(left[random(left.length)] ?? 0);
      } else {
        current = { walk: createWalk(random, socket, 10_000 + begun++, shape), at: 0 };
        active.set(socket, current);
      }
    }
    if (current === undefined) continue;
    const { walk } = current;
    const step = walk.steps[current.at++];
    if (current.at >= walk.steps.length) {
      for (const [key, value] of active) if (value === current) active.delete(key);
    }
    if (step === undefined) continue;
    // Far from the time after which what waits is let go: that has its own tests.
    time += 1 + random(2_000_000);
    given.push({ ...step, walk, time });
    if (random(100) < lossPercent) continue;
    fixture.feed(step.probe, { ...step.fields, time, cpu: random(4), thread: 100 + random(5) });
    fixture.advance(time);
  }
  fixture.advance(Number.POSITIVE_INFINITY);
  return given;
}

function expectOrdinalsWithoutGaps(events: readonly SeenEvent[]): void {
  const next = new Map<number, number>();
  for (const { cpu, ordinal } of events) {
    expect(ordinal).toBe(next.get(cpu) ?? 0);
    next.set(cpu, ordinal + 1);
  }
}

function groupBy<T, K>(list: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of list) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/** Everything an event states about time and direction is what the kernel did, or is not stated. */
function expectTruth(events: readonly SeenEvent[], given: readonly Given[]): void {
  const byPort = groupBy(given, ({ walk }) => walk.remotePort);
  for (const event of events) {
    const steps = event.remotePort === null ? undefined : byPort.get(event.remotePort);
    if (steps === undefined) throw new Error(`an event of nothing: ${JSON.stringify(event)}`);
    const entered = (state: string | null): number =>
      steps.find(({ fields }) => fields.to === state && fields.from !== undefined && fields.from !== state)
        ?.time ?? Number.NaN;
    const between = (from: number) => Math.floor((event.time - from) / 1000);
    if (event.direction !== 'unknown') {
      expect(event.direction).toBe(steps[0]?.walk.isActive === true ? 'active' : 'passive');
    }
    if (event.kind === 'tcp_state' && event.durationUs !== -1) {
      expect(event.durationUs).toBe(between(entered(event.oldState)));
    }
    if (event.kind === 'tcp_life' && event.durationUs !== -1) {
      expect(event.durationUs).toBe(between(entered('ESTABLISHED')));
    }
    if (event.kind === 'tcp_connect_latency' && event.latencyUs !== -1) {
      expect(event.latencyUs).toBe(between(entered('SYN_SENT')));
    }
  }
}

describe('many connections at once', () => {
  test('nothing missing: each has one identifier, a whole legal walk, true durations and whole counts', () => {
    const property = fc.property(fc.integer(), fc.boolean(), (seed, peerComesLater) => {
      const fixture = createNormalizerFixture();
      const given = giveWalks(fixture, randomOf(seed), 40, 0, { peerComesLater });
      const { events } = fixture;
      expectOrdinalsWithoutGaps(events);
      expectTruth(events, given);
      expect(fixture.ledger.held).toBe(0);
      const idOfWalk = groupBy(events, ({ remotePort }) => remotePort);
      for (const walkEvents of idOfWalk.values()) {
        expect(new Set(walkEvents.map(({ id }) => id)).size).toBe(1);
      }
      expect(new Set(events.map(({ id }) => id)).size).toBe(idOfWalk.size);

      for (const [port, steps] of groupBy(given, ({ walk }) => walk.remotePort)) {
        const seen = idOfWalk.get(port) ?? [];
        const changes = steps.filter(({ fields: { from, to } }) => from !== undefined && from !== to);
        const states = seen.filter(({ kind }) => kind === 'tcp_state');
        expect(states.map(({ oldState, newState }) => [oldState, newState])).toEqual(
          changes.map(({ fields }) => [fields.from, fields.to]),
        );
        expect(states.map(({ time }) => time)).toEqual(changes.map(({ time }) => time));
        expect(states.slice(1).every(({ durationUs }) => durationUs >= 0)).toBe(true);
        const count = (kind: string) => seen.filter((event) => event.kind === kind).length;
        const established = changes.some(({ fields }) => fields.to === 'ESTABLISHED');
        const isActive = steps[0]?.walk.isActive === true;
        expect(count('tcp_life')).toBe(established ? 1 : 0);
        expect(count('tcp_connect')).toBe(isActive ? 1 : 0);
        expect(count('tcp_connect_latency')).toBe(isActive && established ? 1 : 0);
        expect(count('tcp_accept')).toBe(isActive ? 0 : 1);
        expect(count('tcp_reset')).toBe(steps.filter(({ probe }) => probe.endsWith('reset')).length);
        const retransmits = steps.filter(({ probe }) => probe.startsWith('tcp_retransmit')).length;
        expect(count('tcp_retransmit')).toBe(retransmits);
        for (const life of seen.filter(({ kind }) => kind === 'tcp_life'))
          expect(life.retransmits).toBe(retransmits);
      }
    });
    fc.assert(property, { numRuns: 400 });
  });

  test('with records lost nothing false is said, and no identifier is of two connections', () => {
    const property = fc.property(fc.integer(), fc.integer({ min: 1, max: 70 }), (seed, lossPercent) => {
      const fixture = createNormalizerFixture();
      const given = giveWalks(fixture, randomOf(seed), 40, lossPercent, { peerComesLater: false });
      expectOrdinalsWithoutGaps(fixture.events);
      expectTruth(fixture.events, given);
      for (const events of groupBy(fixture.events, ({ id }) => id).values()) {
        expect(new Set(events.map(({ remotePort }) => remotePort)).size).toBe(1);
      }
    });
    fc.assert(property, { numRuns: 600 });
  });

  test('with a small table memory is bounded, and every record still accounted for', () => {
    const property = fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 8 }),
      fc.constantFrom(0, 30),
      fc.boolean(),
      (seed, maxConnections, lossPercent, peerComesLater) => {
        const fixture = createNormalizerFixture({ maxConnections });
        const { normalizer } = fixture;
        giveWalks(fixture, randomOf(seed), 40, lossPercent, { peerComesLater });
        expect(normalizer.connections).toBeLessThanOrEqual(maxConnections);
        expect(fixture.ledger.held).toBe(0);
        expectOrdinalsWithoutGaps(fixture.events);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });
});
