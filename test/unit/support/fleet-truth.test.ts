/** The made fleet is what it says: every line is valid, the numbers agree with each other, the planted faults are there. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { FleetEvent } from '../../support/fleet-truth/event.ts';
import { createFleet } from '../../support/fleet-truth/fleet.ts';
import { HOSTS, hostAt, PLANTED } from '../../support/fleet-truth/plan.ts';
import { createEventValidator } from '../../support/schema.ts';

const EVENTS = 60_000;

function run(): { events: FleetEvent[]; repeats: FleetEvent[]; fleet: ReturnType<typeof createFleet> } {
  const fleet = createFleet({ events: EVENTS });
  const events: FleetEvent[] = [];
  const repeats: FleetEvent[] = [];
  for (const { event, isRepeat } of fleet.deliveries()) (isRepeat ? repeats : events).push(event);
  return { events, repeats, fleet };
}

const { events, repeats, fleet } = run();
const truth = fleet.truth();
const ordinalOf = (id: string): number => Number(id.split('-').at(-1));
const streamOf = (id: string): string => id.slice(0, id.lastIndexOf('-'));

describe('the made fleet', () => {
  it('has only valid events', () => {
    const faultsOf = createEventValidator();
    expect(events.length).toBeGreaterThan(EVENTS * 0.9);
    expect(events.flatMap((event) => faultsOf(event).map((fault) => `${event.event}: ${fault}`))).toEqual([]);
  });

  it('is the same in every run', () => {
    const digest = (all: readonly FleetEvent[]): string =>
      createHash('sha256').update(JSON.stringify(all)).digest('hex');
    expect(digest(run().events)).toBe(digest(events));
  });

  it('numbers every event of a CPU without a hole, but for those that are planted as missing', () => {
    const ids = [...events, ...truth.missing].map(({ event_id }) => event_id);
    expect(new Set(ids).size).toBe(truth.emitted);
    for (const ofStream of Map.groupBy(ids, streamOf).values()) {
      const ordinals = ofStream.map(ordinalOf).sort((a, b) => a - b);
      expect(ordinals).toEqual(ordinals.map((_, index) => index));
    }
    const planted = PLANTED.removed.reduce((sum, { count }) => sum + count, 0);
    expect(truth.missing.length).toBe(planted + PLANTED.spoolFull.count);
    expect(events.length).toBe(truth.delivered);
  });

  it('tells in host_status how many events came before on each CPU', () => {
    const before = new Map<string, number>();
    const missing = new Map(truth.missing.map(({ event_id, host }) => [event_id, host]));
    const missingHosts = new Set(missing.values());
    for (const { event, event_id, host, ordinals } of events) {
      if (event === 'host_status' && !missingHosts.has(host)) {
        const session = event_id.split('-').slice(0, -2).join('-');
        for (const [cpu, count] of Object.entries(ordinals ?? {})) {
          expect(before.get(`${session}-${cpu}`) ?? 0).toBe(count);
        }
      }
      before.set(streamOf(event_id), ordinalOf(event_id) + 1);
    }
  });

  it('repeats events with the same bytes', () => {
    const first = new Map(events.map((event) => [event.event_id, JSON.stringify(event)]));
    expect(repeats.length).toBeGreaterThan(EVENTS / 100);
    expect(repeats.length).toBe(truth.repeats);
    for (const event of repeats) expect(JSON.stringify(event)).toBe(first.get(event.event_id));
  });

  it('counts in the kernel what the events tell', () => {
    const host = hostAt(24);
    const own = events.filter((event) => event.host === host.name);
    const [first, last] = [own.find((e) => e.event === 'host_status'), own.at(-1)];
    const delta = (name: string): number => (last?.counters?.[name] ?? 0) - (first?.counters?.[name] ?? 0);
    const count = (kind: string): number => own.filter(({ event }) => event === kind).length;
    expect(delta('Tcp.ActiveOpens')).toBe(count('tcp_connect'));
    expect(delta('Tcp.PassiveOpens')).toBe(count('tcp_accept'));
    expect(delta('Tcp.RetransSegs')).toBe(count('tcp_retransmit'));
  });

  it('has the planted faults', () => {
    const { badRackPair, resetStorm, unreachable, silentHost, deploy } = PLANTED;
    expect(Object.keys(truth.retransmits.byRackPair)[0]).toBe(`${badRackPair.from} ${badRackPair.to}`);
    expect(Object.keys(truth.resetsByPeer)[0]).toBe(`${resetStorm.peer} sent`);
    expect(truth.retransmits.byPeer[unreachable.address]).toBe(truth.retransmits.byKind['syn']);
    const silent = hostAt(silentHost.index).name;
    const lastHeard = events.filter(({ host }) => host === silent).at(-1)?.timestamp ?? '';
    expect(Date.parse(lastHeard)).toBeLessThan(fleet.startMs + silentHost.fromMinute * 60_000);
    const deployed = events.filter((event) => event.remote_address === deploy.address);
    expect(Math.min(...deployed.map(({ timestamp }) => Date.parse(timestamp)))).toBeGreaterThan(
      fleet.startMs + deploy.minute * 60_000,
    );
    expect(truth.hosts).toBe(HOSTS.length);
  });
});
