/** The peers with the most retransmits, as a table that is drawn again and again. */
import type { EventDraft } from '../event/draft.ts';
import { tableFormat } from './line.ts';

/** The number of intervals that are shown and compared. */
const WINDOW = 30;
/**
 * Peers remembered at a time, some 500 bytes each; a peer without retransmits in the whole window is forgotten first.
 */
const CAPACITY = 8_192;
const BARS = ' ▁▂▃▄▅▆▇█';

interface Peer {
  readonly address: string;
  /** Retransmits by interval, as a ring. */
  readonly counts: number[];
  /** The newest interval that has a place in the ring. */
  newest: number;
  total: number;
}

export interface TopOptions {
  /** Length of an interval, ns. */
  readonly interval: number;
  /** Trace time at which counting begins, ns; null takes the time of the first event. */
  readonly start: number | null;
}

export interface Top {
  add(draft: EventDraft): void;
  /** At a trace time in ns: a line about all peers, and the table of those with the most retransmits. */
  lines(now: number, rows: number): string[];
}

export const TOP_COLUMNS = [
  { title: 'PEER', width: 15, meaning: 'Address of the peer.' },
  {
    title: 'NOW/s',
    width: 7,
    right: true,
    meaning: 'Retransmits per second in the last complete interval.',
  },
  { title: 'AVG/s', width: 7, right: true, meaning: 'Retransmits per second over the last 30 intervals.' },
  { title: 'SHARE', width: 6, right: true, meaning: 'Share of all retransmits in these intervals.' },
  {
    title: 'HISTORY',
    width: WINDOW,
    meaning: 'One bar per interval, the newest on the right. All peers have the same scale.',
  },
  { title: 'TOTAL', width: 8, right: true, meaning: 'Retransmits since the start.' },
] as const;

const TABLE = tableFormat(TOP_COLUMNS);

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

export function createTop({ interval, start }: TopOptions): Top {
  const peers = new Map<string, Peer>();
  let first = start;
  let others = 0;

  /** Clears the places of the ring up to an interval. */
  function moveTo(peer: Peer, index: number): void {
    const from = Math.max(peer.newest + 1, index - WINDOW + 1);
    for (let each = from; each <= index; each++) peer.counts[each % WINDOW] = 0;
    peer.newest = Math.max(peer.newest, index);
  }

  function forgetQuiet(index: number): void {
    for (const [address, { newest }] of peers) if (newest <= index - WINDOW) peers.delete(address);
  }

  return {
    add({ connection, time }) {
      first ??= time;
      const address = connection.flow?.remoteAddress ?? '-';
      const index = Math.floor(Math.max(0, time - first) / interval);
      let peer = peers.get(address);
      if (peer === undefined) {
        if (peers.size >= CAPACITY) forgetQuiet(index);
        if (peers.size >= CAPACITY) {
          others++;
          return;
        }
        peer = { address, counts: Array<number>(WINDOW).fill(0), newest: index, total: 0 };
        peers.set(address, peer);
      }
      moveTo(peer, index);
      peer.counts[index % WINDOW] = (peer.counts[index % WINDOW] ?? 0) + 1;
      peer.total++;
    },
    lines(now, rows) {
      const elapsed = Math.max(now - (first ?? now), 1);
      const last = Math.floor(elapsed / interval);
      const before = Math.max(0, last - WINDOW + 1);
      const seconds = (elapsed - before * interval) / 1e9;
      /** The rate in the last whole interval: the running one has fewer retransmits yet. */
      const rateNow = (history: readonly number[]) =>
        last === 0 ? (history.at(-1) ?? 0) / seconds : (history.at(-2) ?? 0) / (interval / 1e9);
      const seen = [...peers.values()].map((peer) => {
        moveTo(peer, last);
        const history = Array.from({ length: WINDOW }, (_, age) => {
          const index = last - WINDOW + 1 + age;
          return index < 0 ? 0 : (peer.counts[index % WINDOW] ?? 0);
        });
        return { peer, history, sum: history.reduce((sum, count) => sum + count, 0) };
      });
      const worst = seen.filter(({ sum }) => sum > 0).sort((a, b) => b.sum - a.sum);
      const all = worst.reduce((sum, each) => sum + each.sum, 0);
      const highest = worst.reduce((most, { history }) => Math.max(most, ...history), 1);
      const bar = (count: number) => BARS.charAt(Math.ceil((count / highest) * (BARS.length - 1)));
      const shown = worst
        .slice(0, rows)
        .map(({ peer, history, sum }) =>
          TABLE.line([
            peer.address,
            rateNow(history).toFixed(1),
            (sum / seconds).toFixed(1),
            `${Math.round((sum / all) * 100)} %`,
            history.map(bar).join(''),
            peer.total,
          ]),
        );
      const left = others > 0 ? `, ${others} of others not counted by peer` : '';
      return [
        `${plural(all, 'retransmit')} with ${plural(worst.length, 'peer')} in ${seconds.toFixed(1)} s, by ${interval / 1e9} s${left}`,
        TABLE.header,
        ...shown,
      ];
    },
  };
}
