/** The retransmit counts of one peer in one interval. */
import { RETRANSMIT_KINDS, type RetransmitKind } from '../kinds.ts';
import type { Flow } from './flow.ts';

/** The retransmits between two addresses in one interval. */
export interface PeerSummary {
  /** Both addresses, of any of the connections; null for all peers beyond `maxPeers` together. */
  readonly flow: Flow | null;
  /** ABSENT where the source does not give it, and where `flow` is null. */
  readonly netns: number;
  /** Of the first retransmit. */
  readonly cpu: number;
  readonly counts: Record<RetransmitKind, number>;
  /** Of these, without an event of their own. */
  suppressed: number;
  /** The interval is over: a connection that has it must look again. */
  closed: boolean;
}

export function createPeerSummary(flow: Flow | null, netns: number, cpu: number): PeerSummary {
  const counts = { rto: 0, fast: 0, tlp: 0, syn: 0, synack: 0, unknown: 0 };
  return { flow, netns, cpu, counts, suppressed: 0, closed: false };
}

export function totalRetransmits({ counts }: PeerSummary): number {
  let sum = 0;
  for (const kind of RETRANSMIT_KINDS) sum += counts[kind];
  return sum;
}
