/** Makes the model of what was collected: gives addresses their owners, and sums what belongs together. */
import type { Collected } from './collector.ts';
import { type Cubes, DURATION_ROWS } from './counts.ts';
import { BUCKETS } from './histogram.ts';
import {
  DURATION_KINDS,
  type DurationRow,
  HOST_MEASURES,
  type HostMeasure,
  type HostRow,
  type InputFacts,
  MEASURES,
  type Measure,
  NO_PLACE,
  type Ownership,
  type PairRow,
  type PeerRow,
  type Period,
  PLACE_LABELS,
  type Place,
  type PlaceLabel,
  type ReportModel,
  type ServiceRow,
} from './model.ts';
import { REST } from './names.ts';
import { type ServiceKey, SHARED_SERVICE } from './origins.ts';
import { recordOf } from './record.ts';
import { createRows, limitRows, type Rows } from './rows.ts';

export interface ModelOptions {
  readonly version: string;
  readonly generatedAt: string;
  /** What was read, in words. */
  readonly sources: readonly string[];
  readonly problems: readonly string[];
  /** Peers that are kept apart: those with the most retransmits. */
  readonly maxPeers: number;
}

/** Counts in the tables of a page: with more it would be larger than 3 MB. */
const PAGE_COUNTS = { peers: 90_000, hosts: 50_000, pairs: 30_000, services: 25_000, durations: 30_000 };

/** What is known about an address at a time. */
interface Known extends Place {
  readonly ownership: Ownership;
  readonly host: string | null;
}

type Pairs = Readonly<Record<PlaceLabel, Rows<PairRow, Measure>>>;

/** Null where no event was counted. */
export function buildModel(collected: Collected, options: ModelOptions): ReportModel | null {
  const { cubes, time, account, counts } = collected;
  const { origins, timeline, resets, leaks, links } = cubes;
  if (counts.events === 0) return null;
  const knownOf = createKnowledge(collected);
  const peerOptions = { measures: MEASURES, maxCounts: PAGE_COUNTS.peers, stepS: links.stepS };
  const allPeers = createRows<PeerRow, Measure>(peerOptions);
  const pairOptions = { ...peerOptions, maxCounts: PAGE_COUNTS.pairs };
  const pairs = recordOf(PLACE_LABELS, () => createRows<PairRow, Measure>(pairOptions));
  addLinks(cubes, knownOf, allPeers, pairs);
  const row: PeerRow = { address: '', ownership: 'rest', host: null, ...NO_PLACE };
  const rest = { row, is: ({ ownership }: PeerRow) => ownership === 'rest' };
  const peers = limitRows(allPeers, options.maxPeers, rest, peerOptions);
  const hosts = hostRows(cubes);
  const { services, durations } = serviceRows(cubes, knownOf);

  const rows = [peers, hosts, services, durations, ...Object.values(pairs)];
  const snap_s = Math.max(timeline.stepS, resets.stepS, ...rows.map(({ cube }) => cube.stepS));
  const period = periodOf(time, snap_s);
  const { start_s } = period;
  return {
    schema_version: 1,
    ktc_version: options.version,
    generated_at: options.generatedAt,
    input: inputFacts(collected, options),
    period,
    timeline: timeline.grid(start_s),
    peers: peers.table(start_s),
    hosts: hosts.table(start_s),
    pairs: recordOf(PLACE_LABELS, (label) => pairs[label].table(start_s)),
    services: services.table(start_s),
    durations: durations.table(start_s),
    resets: { rows: origins.resets, grid: resets.grid(start_s) },
    account: account.ofHosts(
      origins.hosts.map(({ host }) => host),
      time.lastS,
    ),
    leaks: leaks.rows(time.lastS),
  };
}

function periodOf({ firstS, lastS }: Collected['time'], snap_s: number): Period {
  return {
    first_s: firstS,
    last_s: lastS,
    start_s: Math.floor(firstS / snap_s) * snap_s,
    end_s: (Math.floor(lastS / snap_s) + 1) * snap_s,
    snap_s,
  };
}

function inputFacts({ counts, wrongClocks }: Collected, { sources, problems }: ModelOptions): InputFacts {
  const { lines, events, duplicates, malformed, outside, statuses } = counts;
  return {
    ...{ sources, lines, events, duplicates, malformed, outside, problems },
    wrong_clocks: Object.fromEntries(wrongClocks),
    host_statuses: statuses,
  };
}

/** Tells whose the address of a peer was, `second` being the middle of a slice of time. */
function createKnowledge({ cubes: { origins }, owners }: Collected): (peer: number, second: number) => Known {
  const nobody = (ownership: Ownership): Known => ({ ownership, host: null, ...NO_PLACE });
  const known = { rest: nobody('rest'), ambiguous: nobody('ambiguous'), unknown: nobody('unknown') };
  const hosts = origins.hosts.map((host): Known => ({ ...host, ownership: 'known' }));
  return (peer, second) => {
    if (peer === REST) return known.rest;
    const owner = owners.ownerAt(origins.peers[peer] ?? '', second);
    return typeof owner === 'string' ? known[owner] : (hosts[owner] ?? known.unknown);
  };
}

type Knowledge = ReturnType<typeof createKnowledge>;

function addLinks(
  { links, origins }: Cubes,
  knownOf: Knowledge,
  peers: Rows<PeerRow, Measure>,
  pairs: Pairs,
): void {
  const halfS = links.stepS / 2;
  links.forEach((link, measure, second, value) => {
    const { place, peer } = origins.links[link] ?? { place: REST, peer: REST };
    const address = origins.peers[peer] ?? '';
    const { ownership, host, rack, datacenter, role, service } = knownOf(peer, second + halfS);
    const labels = { rack, datacenter, role, service };
    const row = peers.numberOf(`${address} ${ownership} ${host}`, () => ({
      address,
      ownership,
      host,
      ...labels,
    }));
    peers.cube.add(row, measure, second, value);
    for (const label of PLACE_LABELS) {
      const from = origins.places[place]?.[label] ?? null;
      const to = labels[label];
      const pair = pairs[label].numberOf(JSON.stringify([from, to, ownership]), () => ({
        from,
        to,
        ownership,
      }));
      pairs[label].cube.add(pair, measure, second, value);
    }
  });
}

function hostRows({ hosts, origins }: Cubes): Rows<HostRow, HostMeasure> {
  const rows = createRows<HostRow, HostMeasure>({
    measures: HOST_MEASURES,
    maxCounts: PAGE_COUNTS.hosts,
    stepS: hosts.stepS,
  });
  // Hosts that only told that they are there have a row too; the number 0 stands for no host.
  const numbers = origins.hosts.map(({ host, kernel, rack, datacenter, role, service }, index) =>
    index === REST ? 0 : rows.numberOf(`${index}`, () => ({ host, kernel, rack, datacenter, role, service })),
  );
  hosts.forEach((host, measure, second, value) => {
    if (host !== REST) rows.cube.add(numbers[host] ?? 0, measure, second, value);
  });
  return rows;
}

const wordsOf = (place: Place, port: number | null): string =>
  JSON.stringify([...PLACE_LABELS.map((label) => place[label]), port]);

/** The systemd unit that accepts on a port in a place, where it is the only one: what its clients see has its name too. */
function createUnits({
  services,
  places,
}: Cubes['origins']): (place: Place, port: number | null) => string | null {
  const units = new Map<string, Set<string>>();
  for (const { place, port, unit } of services) {
    if (place === null || unit === null) continue;
    const words = wordsOf(places[place] ?? NO_PLACE, port);
    units.set(words, (units.get(words) ?? new Set()).add(unit));
  }
  return (place, port) => {
    const [unit = null, ...more] = units.get(wordsOf(place, port)) ?? [];
    return more.length > 0 ? null : unit;
  };
}

function serviceRows({ services, durations, origins }: Cubes, knownOf: Knowledge) {
  const made = createRows<ServiceRow, Measure>({
    measures: MEASURES,
    maxCounts: PAGE_COUNTS.services,
    stepS: services.stepS,
  });
  const histogram = createRows<DurationRow, 'count'>({
    measures: ['count'],
    maxCounts: PAGE_COUNTS.durations,
    stepS: durations.stepS,
  });
  /** Programs by service and port, of those that were seen on watched hosts. */
  const comms = new Map<string, string>();
  const unitOf = createUnits(origins);
  const nameAt = ({ peer, place, port, unit }: ServiceKey, second: number): string | null => {
    if (peer === null) {
      const own = origins.places[place ?? REST] ?? NO_PLACE;
      return own.service ?? unit ?? unitOf(own, port);
    }
    const known = knownOf(peer, second);
    return known.ownership === 'known' ? (known.service ?? unitOf(known, port)) : null;
  };
  for (const service of origins.services) {
    const { place, port, comm } = service;
    if (place !== null && comm !== null) comms.set(`${nameAt(service, 0)} ${port}`, comm);
  }
  const rowAt = (number: number, second: number): number => {
    const origin = origins.services[number] ?? SHARED_SERVICE;
    const { port } = origin;
    const service = nameAt(origin, second);
    const key = `${service} ${port}`;
    return made.numberOf(key, () => ({ service, port, comm: comms.get(key) ?? null }));
  };
  services.forEach((service, measure, second, value) => {
    made.cube.add(rowAt(service, second + services.stepS / 2), measure, second, value);
  });
  durations.forEach((row, _measure, second, value) => {
    const service = rowAt(Math.floor(row / DURATION_ROWS), second + durations.stepS / 2);
    const bucket = row % BUCKETS;
    const kind = DURATION_KINDS[Math.floor((row % DURATION_ROWS) / BUCKETS)] ?? 'connect';
    const number = histogram.numberOf(`${service} ${kind} ${bucket}`, () => ({ service, kind, bucket }));
    histogram.cube.add(number, 'count', second, value);
  });
  return { services: made, durations: histogram };
}
