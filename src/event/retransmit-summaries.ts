/** Counts retransmits by peer, so that the counts survive where single events are suppressed or switched off. */
import { ABSENT } from '../source/decode/record.ts';
import type { Connection } from './connection/connection.ts';
import { createPeerSummary, type PeerSummary } from './connection/peer-summary.ts';
import type { RetransmitKind } from './kinds.ts';

export interface SummarySettings {
  /** Of trace time, ns; 0 makes no summaries. */
  readonly intervalNs: number;
  /** Peers that are counted apart in one interval; those that come later are counted together. */
  readonly maxPeers: number;
}

export const NO_SUMMARIES: SummarySettings = { intervalNs: 0, maxPeers: 0 };

export interface RetransmitSummaries {
  /** Counts one retransmit; `emitted`: it has an event of its own. */
  add(connection: Connection, cpu: number, kind: RetransmitKind, emitted: boolean): void;
  /** Nothing older comes any more. Ends the interval when this trace time is beyond it; Infinity ends it where it is. */
  advance(time: number): void;
  /** Ends the open interval and goes on as told. */
  set(settings: SummarySettings): void;
}

/**
 * Intervals are multiples of their length from the trace epoch, whatever comes when, so that a replay has the same.
 *
 * @param give takes each summary at the end of its interval, with that trace time and the time it is of, both ns
 */
export function createRetransmitSummaries(
  settings: SummarySettings,
  give: (summary: PeerSummary, time: number, intervalNs: number) => void,
): RetransmitSummaries {
  let { intervalNs, maxPeers } = settings;
  const peers = new Map<string, PeerSummary>();
  let others: PeerSummary | null = null;
  let startsAt = 0;
  /** Begins at the first time that is seen; without summaries none ever is. */
  let endsAt = firstEnd();
  let latest = Number.NEGATIVE_INFINITY;

  function firstEnd(): number {
    return intervalNs === 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }

  function giveOne(summary: PeerSummary, time: number): void {
    summary.closed = true;
    give(summary, time, time - startsAt);
  }

  function close(time: number): void {
    for (const summary of peers.values()) giveOne(summary, time);
    if (others !== null) giveOne(others, time);
    peers.clear();
    others = null;
  }

  /** Ends the interval before its time. */
  function cut(): void {
    close(latest);
    startsAt = latest;
    endsAt = firstEnd();
  }

  function find(connection: Connection, cpu: number): PeerSummary {
    const { flow, netns } = connection;
    const key = `${flow?.remoteAddress} ${flow?.localAddress} ${netns}`;
    const known = peers.get(key);
    if (known !== undefined) return known;
    if (peers.size >= maxPeers) {
      others ??= createPeerSummary(null, ABSENT, cpu);
      return others;
    }
    const summary = createPeerSummary(flow, netns, cpu);
    peers.set(key, summary);
    return summary;
  }

  return {
    add(connection, cpu, kind, emitted) {
      if (intervalNs === 0) return;
      // Kept with the connection: under load nothing is looked up.
      if (connection.summary === null || connection.summary.closed) {
        connection.summary = find(connection, cpu);
      }
      const { summary } = connection;
      summary.counts[kind]++;
      if (!emitted) summary.suppressed++;
    },
    advance(time) {
      if (time === Number.POSITIVE_INFINITY) return cut();
      if (time > latest) latest = time;
      if (time < endsAt) return;
      close(endsAt);
      const start = Math.floor(time / intervalNs) * intervalNs;
      endsAt = start + intervalNs;
      // Less where the one before was cut.
      startsAt = Math.max(start, startsAt);
    },
    set(next) {
      if (next.intervalNs === intervalNs && next.maxPeers === maxPeers) return;
      cut();
      ({ intervalNs, maxPeers } = next);
      endsAt = firstEnd();
    },
  };
}
