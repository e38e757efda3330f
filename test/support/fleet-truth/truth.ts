/** What is true of the fleet's events, counted while they happen. */
import type { FleetEvent } from './event.ts';
import { type FleetHost, ownerOf, PLANTED } from './plan.ts';

type Counts = Readonly<Record<string, number>>;

export interface Missing {
  readonly host: string;
  readonly event_id: string;
  readonly event: string;
  readonly timestamp: string;
  /** `dropped` was counted by the agent, `removed` by nobody. */
  readonly why: 'dropped' | 'removed';
}

export interface FleetTruth {
  readonly planted: typeof PLANTED;
  /** Numbered by agents. */
  readonly emitted: number;
  /** Different ones that were delivered: `emitted` without `missing`. */
  readonly delivered: number;
  /** Delivered once more. */
  readonly repeats: number;
  readonly missing: readonly Missing[];
  /** Of what was delivered, each event once. */
  readonly byKind: Counts;
  readonly byHost: Counts;
  /** Retransmits that were delivered: single events, and those that summaries say were kept back. */
  readonly retransmits: {
    readonly total: number;
    /** Of single events. */
    readonly byKind: Counts;
    readonly byPeer: Counts;
    readonly byHost: Counts;
    /** `r03 r09`: the sender's rack, then that of the peer. `ambiguous` and `unknown` stand for a peer that nobody can name. */
    readonly byRackPair: Counts;
    /** `web api`. */
    readonly byServicePair: Counts;
    /** By minutes since the start. */
    readonly byMinute: Counts;
  };
  /** `198.51.100.66 sent` */
  readonly resetsByPeer: Counts;
  /** Of hosts that were heard of in the last minute. */
  readonly hosts: number;
}

export type Outcome = Missing['why'] | 'delivered';

export interface TruthCounter {
  readonly emitted: (host: FleetHost, event: FleetEvent, minute: number, outcome: Outcome) => void;
  readonly repeated: () => void;
  readonly summary: () => FleetTruth;
}

function createCounts() {
  const counts = new Map<string, number>();
  return {
    add: (key: string, by = 1): void => {
      counts.set(key, (counts.get(key) ?? 0) + by);
    },
    sum: (): number => [...counts.values()].reduce((sum, count) => sum + count, 0),
    size: (): number => counts.size,
    toObject: (): Counts => Object.fromEntries([...counts].sort(([, a], [, b]) => b - a)),
  };
}

/** Rack or service of whoever has the address. */
export function peerNameOf(
  address: string | null | undefined,
  minute: number,
  name: 'rack' | 'service' | 'name',
): string {
  const owner = address ? ownerOf(address, minute) : null;
  if (owner === null) return 'unknown';
  return owner === 'ambiguous' ? 'ambiguous' : owner[name];
}

export function createTruth(startMs: number): TruthCounter {
  const byKind = createCounts();
  const byHost = createCounts();
  const retransmits = {
    ...{ byKind: createCounts(), byPeer: createCounts(), byHost: createCounts(), byMinute: createCounts() },
    ...{ byRackPair: createCounts(), byServicePair: createCounts() },
  };
  const resetsByPeer = createCounts();
  const missing: Missing[] = [];
  let emitted = 0;
  let repeats = 0;

  const countRetransmits = (host: FleetHost, event: FleetEvent, minute: number, by: number): void => {
    if (by === 0) return;
    const { remote_address: address } = event;
    retransmits.byPeer.add(address ?? '', by);
    retransmits.byHost.add(host.name, by);
    retransmits.byRackPair.add(`${host.rack} ${peerNameOf(address, minute, 'rack')}`, by);
    retransmits.byServicePair.add(`${host.service} ${peerNameOf(address, minute, 'service')}`, by);
    retransmits.byMinute.add(String(Math.floor((Date.parse(event.timestamp) - startMs) / 60_000)), by);
  };

  return {
    emitted(host, event, minute, outcome) {
      emitted++;
      if (outcome !== 'delivered') {
        const { event_id, timestamp } = event;
        missing.push({ host: host.name, event_id, event: event.event, timestamp, why: outcome });
        return;
      }
      byKind.add(event.event);
      byHost.add(host.name);
      if (event.event === 'tcp_retransmit') {
        retransmits.byKind.add(event.retransmit_kind ?? '');
        countRetransmits(host, event, minute, 1);
      }
      if (event.event === 'tcp_retransmit_summary') {
        countRetransmits(host, event, minute, event.retransmits_suppressed ?? 0);
      }
      if (event.event === 'tcp_reset') resetsByPeer.add(`${event.remote_address} ${event.reset_direction}`);
    },
    repeated: () => {
      repeats++;
    },
    summary: () => ({
      planted: PLANTED,
      emitted,
      delivered: emitted - missing.length,
      repeats,
      missing,
      byKind: byKind.toObject(),
      byHost: byHost.toObject(),
      retransmits: {
        total: retransmits.byHost.sum(),
        byKind: retransmits.byKind.toObject(),
        byPeer: retransmits.byPeer.toObject(),
        byHost: retransmits.byHost.toObject(),
        byRackPair: retransmits.byRackPair.toObject(),
        byServicePair: retransmits.byServicePair.toObject(),
        byMinute: retransmits.byMinute.toObject(),
      },
      resetsByPeer: resetsByPeer.toObject(),
      hosts: byHost.size(),
    }),
  };
}
