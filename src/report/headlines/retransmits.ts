/** Who causes the retransmits, since when, and what kind they are. */
import { RETRANSMIT_KINDS, type RetransmitKind } from '../../event/kinds.ts';
import { grouped } from '../../shared/text.ts';
import { type PeerRow, PLACE_LABELS, type PlaceLabel, type ReportModel } from '../model.ts';
import type { Counted, View } from '../view.ts';
import { counted, KIND_NAMES, name, peerName, percent } from '../words.ts';
import type { Headline } from './headline.ts';
import { spanOf } from './span.ts';

const KIND_WORDS: Readonly<Record<RetransmitKind, string>> = {
  rto: 'timeouts (rto): whole flights of data or their acknowledgements vanish',
  fast: 'fast retransmits: single segments are lost, and the ones after them arrive',
  tlp: 'tail loss probes (tlp): the last segment of a burst, or its acknowledgement, is late or lost',
  syn: 'SYNs: connections are asked for and nobody answers in time',
  synack: 'SYN-ACKs: the answer to a SYN, or the ACK for it, is lost',
  unknown: 'of a kind that was not told: without tcp_trace.ko, or counted in summaries',
};

export function retransmitHeadlines(model: ReportModel, view: View): Headline[] {
  const { retransmits } = view.total;
  if (retransmits === 0) return [noneHeadline(view)];
  const peers = view.peers.filter(({ row }) => row.ownership !== 'rest');
  const rest = view.peers.filter(({ row }) => row.ownership === 'rest');
  // Who never answers has a sentence of its own: it says nothing about loss on the way.
  const silent = peers.filter(isSilent);
  const answering = peers.filter((peer) => !isSilent(peer));
  const total = sumOf(answering) + sumOf(rest);
  const count = `${rest.length === 0 ? '' : 'more than '}${grouped(answering.length)}`;
  const areAll = silent.length === 0;
  return [
    ...(total === 0 ? [] : [peersHeadline(model, view, { peers: answering, count, total, areAll })]),
    ...pairHeadlines(view),
    ...hostHeadlines(view),
    ...silentPeerHeadlines(silent),
    kindHeadline(view),
  ];
}

/** Nothing was recorded: the kernels' own counters tell whether there was nothing to record. */
function noneHeadline({ hosts }: View): Headline {
  const counting = hosts.filter(({ sums }) => sums.kernel_retransmits > 0);
  const kernel = counting.reduce((sum, { sums }) => sum + sums.kernel_retransmits, 0);
  const isKnown = hosts.some(({ sums }) => sums.kernel_segments > 0);
  const text =
    kernel === 0
      ? `No ${isKnown ? 'segment was sent again' : 'retransmit was recorded'}.`
      : `No retransmit was recorded, but the kernels of ${counted(counting.length, 'host')} count ${grouped(kernel)}: tcp_retransmit is not traced there, or left out of this input.`;
  return {
    id: 'retransmits',
    level: kernel === 0 ? 'good' : 'watch',
    text,
    facts: { retransmits: 0, kernel_retransmits: kernel },
  };
}

/** A peer stands out with so many times what the others have, and beyond what chance gives. */
const OUTLIER_FACTOR = 3;
const OUTLIER_SIGMAS = 4;
/** They are named together when they have so much of all retransmits, and are no more than this part of the peers. */
const LEAST_SHARE = 0.2;
const LARGEST_PART = 0.3;

/**
 * Peers with far more retransmits than the others, most first. What the others have is counted without those that stand
 * out, and a peer with more traffic than others may have more of them.
 */
function outliersOf(peers: readonly Counted<PeerRow>[]): Counted<PeerRow>[] {
  const sorted = [...peers].sort((one, other) => other.retransmits - one.retransmits);
  let outliers: Counted<PeerRow>[] = [];
  for (;;) {
    const others = new Set(sorted).difference(new Set(outliers));
    const sum = (of: (peer: Counted<PeerRow>) => number) =>
      [...others].reduce((total, peer) => total + of(peer), 0);
    const retransmits = sum((peer) => peer.retransmits);
    const perSegment =
      retransmits /
      Math.max(
        1,
        sum(({ sums }) => sums.segments),
      );
    const perPeer = retransmits / Math.max(1, others.size);
    const next = sorted.filter(({ retransmits: count, sums }) => {
      const usual = Math.max(perPeer, perSegment * sums.segments);
      return count > OUTLIER_FACTOR * usual && count > usual + OUTLIER_SIGMAS * Math.sqrt(usual);
    });
    if (next.length <= outliers.length) return outliers;
    outliers = next;
  }
}

function sumOf(peers: readonly Counted<PeerRow>[]): number {
  return peers.reduce((sum, { retransmits }) => sum + retransmits, 0);
}

/** Peers that answer; `count` and `total` are also of those that have no row of their own. */
interface Answering {
  readonly peers: readonly Counted<PeerRow>[];
  readonly count: string;
  readonly total: number;
  /** There are no others. */
  readonly areAll: boolean;
}

function peersHeadline(model: ReportModel, view: View, answering: Answering): Headline {
  const { peers, count, total, areAll } = answering;
  const worst = outliersOf(peers);
  const share = sumOf(worst) / total;
  if (peers.length < 4 || worst.length > LARGEST_PART * peers.length || share < LEAST_SHARE)
    return spreadHeadline(view, answering);
  const chosen = new Set(worst.map(({ row }) => row));
  const common = traitOf(worst, peers);
  const when = spanOf(model.peers, (row) => chosen.has(row), model, view);
  const [first] = worst;
  const isOne = worst.length === 1;
  const who =
    isOne && first !== undefined
      ? `Peer ${peerName(first.row)}, one of ${count}, causes`
      : `${grouped(worst.length)} of ${count} peers cause`;
  const all = isOne ? 'it is' : common?.having === worst.length ? 'all are' : `${common?.having} of them are`;
  const parts = [
    `${who} ${percent(share)} of ${counted(total, 'retransmit')}${areAll ? '' : ' to peers that answer'}`,
    common === null ? '' : `; ${all} in ${common.label} ${name(common.value)}`,
    when === null ? '' : `; ${when.text}`,
  ];
  return {
    id: 'worst_peers',
    level: 'bad',
    text: `${parts.join('')}.`,
    facts: {
      ...{ retransmits: total, share, worst: worst.length, peers: peers.length },
      addresses: worst.slice(0, 20).map(({ row }) => row.address),
      label: common?.label ?? null,
      value: common?.value ?? null,
      since: when?.since ?? null,
      until: when?.until ?? null,
    },
  };
}

/** No few peers stand out. */
function spreadHeadline({ total: { rate } }: View, { peers, count, total }: Answering): Headline {
  const most = [...peers].sort((one, other) => other.retransmits - one.retransmits).slice(0, 10);
  const [worst] = most;
  const isMost = worst !== undefined && peers.length > 1 && worst.retransmits > total / 2;
  const where =
    peers.length > 20
      ? `no few peers stand out, the worst 10 of ${count} cause ${percent(sumOf(most) / total)}`
      : `to ${count} ${count === '1' ? 'peer' : 'peers'}${isMost ? `, ${percent(worst.retransmits / total)} of them to ${peerName(worst.row)}` : ''}`;
  const ofSent = rate === null ? '' : ` (${percent(rate)} of the segments of closed connections)`;
  return {
    id: 'retransmits',
    level: 'note',
    text: `${counted(total, 'segment')} ${total === 1 ? 'was' : 'were'} sent again${ofSent}: ${where}.`,
    facts: { retransmits: total, rate, peers: peers.length },
  };
}

interface Trait {
  readonly label: PlaceLabel;
  readonly value: string;
  /** How many of the worst have it. */
  readonly having: number;
}

const TRAIT_SHARE = 0.6;

/** What most of the worst share, by their retransmits, and most others have not: the label that tells most. */
function traitOf(worst: readonly Counted<PeerRow>[], peers: readonly Counted<PeerRow>[]): Trait | null {
  const weight = worst.reduce((sum, { retransmits }) => sum + retransmits, 0);
  const traits = PLACE_LABELS.flatMap((label) => {
    const byValue = Map.groupBy(worst, ({ row }) => row[label]);
    return [...byValue].flatMap(([value, having]) => {
      const share = having.reduce((sum, { retransmits }) => sum + retransmits, 0) / weight;
      const usual = peers.filter(({ row }) => row[label] === value).length / peers.length;
      return value === null || share < TRAIT_SHARE || usual > 0.5
        ? []
        : [{ label, value, having: having.length, usual }];
    });
  });
  return traits.sort((one, other) => one.usual - other.usual)[0] ?? null;
}

/** A pair has so much of the retransmits, and so many times its share of the segments. */
const PAIR_SHARE = 0.2;
const PAIR_FACTOR = 3;

function pairHeadlines({ pairs, total }: View): Headline[] {
  for (const label of ['rack', 'datacenter', 'service'] as const) {
    const known = pairs[label].filter(({ row }) => row.from !== null && row.to !== null);
    const [worst] = [...known].sort((one, other) => other.retransmits - one.retransmits);
    if (worst === undefined || known.length < 4) continue;
    const share = worst.retransmits / total.retransmits;
    const [used, ofWhat] =
      total.sums.segments > 0
        ? [worst.sums.segments / total.sums.segments, 'of the segments']
        : [worst.sums.closed / Math.max(1, total.sums.closed), 'of the connections'];
    if (share < PAIR_SHARE || share < PAIR_FACTOR * used) continue;
    const { from, to } = worst.row;
    return [
      {
        id: `worst_${label}_pair`,
        level: 'bad',
        text: `From ${label} ${name(from ?? '')} to ${label} ${name(to ?? '')}: ${percent(share)} of the retransmits, but ${percent(used)} ${ofWhat}.`,
        facts: { from, to, retransmits: worst.retransmits, share, share_of_traffic: used },
      },
    ];
  }
  return [];
}

function hostHeadlines({ hosts, total }: View): Headline[] {
  const [worst] = [...hosts].sort((one, other) => other.retransmits - one.retransmits);
  const share = (worst?.retransmits ?? 0) / total.retransmits;
  if (worst === undefined || hosts.length < 4 || share < 0.5) return [];
  const { host } = worst.row;
  return [
    {
      id: 'worst_host',
      level: 'bad',
      text: `Host ${name(host)}, one of ${grouped(hosts.length)}, sent ${percent(share)} of the retransmits itself: look at its link, its cable and its network card.`,
      facts: { host, retransmits: worst.retransmits, share, interface_errors: worst.sums.interface_errors },
    },
  ];
}

/** SYNs were sent again and no connection was ever established or closed: nobody is there, or a filter drops. */
function isSilent({ sums }: Counted<PeerRow>): boolean {
  return sums.syn >= 3 && sums.opened + sums.closed === 0;
}

function silentPeerHeadlines(peers: readonly Counted<PeerRow>[]): Headline[] {
  const silent = [...peers].sort((one, other) => other.sums.syn - one.sums.syn);
  const [first] = silent;
  if (first === undefined) return [];
  const more = silent.length > 1 ? ` and ${counted(silent.length - 1, 'other peer')}` : '';
  const syns = silent.reduce((sum, { sums }) => sum + sums.syn, 0);
  return [
    {
      id: 'unanswered',
      level: 'watch',
      text: `${peerName(first.row)}${more} never answered: ${grouped(syns)} SYNs were sent again and no connection came about; unreachable, or filtered.`,
      facts: { addresses: silent.slice(0, 20).map(({ row }) => row.address), peers: silent.length, syns },
    },
  ];
}

function kindHeadline({ total }: View): Headline {
  const kinds = [...RETRANSMIT_KINDS]
    .filter((kind) => total.sums[kind] > 0)
    .sort((one, other) => total.sums[other] - total.sums[one]);
  const [kind = 'unknown'] = kinds;
  const shares = kinds.map((each) => ({ each, share: total.sums[each] / total.retransmits }));
  const share = shares[0]?.share ?? 0;
  const text =
    share >= 0.5
      ? `${percent(share)} of the retransmits are ${KIND_WORDS[kind]}.`
      : `Kinds of retransmits: ${shares.map(({ each, share: of }) => `${percent(of)} ${KIND_NAMES[each]}`).join(', ')}.`;
  return {
    id: 'kinds',
    level: 'note',
    text,
    facts: Object.fromEntries(RETRANSMIT_KINDS.map((each) => [each, total.sums[each]])),
  };
}
