/** Who has the most retransmits, as a table that is drawn again and again. */
import type { EventDraft } from '../event/draft.ts';
import { tableFormat } from './line.ts';
import type { TopGroup } from './top-group.ts';

/** The number of intervals that are shown and compared. */
const WINDOW = 30;
/**
 * Rows remembered at a time, some 500 bytes each; one without retransmits in the whole window is forgotten first.
 */
const CAPACITY = 8_192;
const BARS = ' ▁▂▃▄▅▆▇█';

interface Row {
  readonly label: string;
  /** Retransmits by interval, as a ring. */
  readonly counts: number[];
  /** The newest interval that has a place in the ring. */
  newest: number;
  total: number;
}

export interface TopOptions {
  /** What is counted apart. */
  readonly group: TopGroup;
  /** Length of an interval, ns. */
  readonly interval: number;
  /** Trace time at which counting begins, ns; null takes the time of the first event. */
  readonly start: number | null;
}

export interface Top {
  add(draft: EventDraft): void;
  /** At a trace time in ns: a line about all rows, and the table of those with the most retransmits. */
  lines(now: number, rows: number): string[];
}

/** The columns behind that of the group. */
export const TOP_COLUMNS = [
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
    meaning: 'One bar per interval, the newest on the right. All rows have the same scale.',
  },
  { title: 'TOTAL', width: 8, right: true, meaning: 'Retransmits since the start.' },
] as const;

const counted = (count: number, noun: string, plural: string): string =>
  `${count} ${count === 1 ? noun : plural}`;

export function createTop({ group, interval, start }: TopOptions): Top {
  const table = tableFormat([group, ...TOP_COLUMNS]);
  const rows = new Map<string, Row>();
  let first = start;
  let others = 0;

  /** Clears the places of the ring up to an interval. */
  function moveTo(row: Row, index: number): void {
    const from = Math.max(row.newest + 1, index - WINDOW + 1);
    for (let each = from; each <= index; each++) row.counts[each % WINDOW] = 0;
    row.newest = Math.max(row.newest, index);
  }

  function forgetQuiet(index: number): void {
    for (const [label, { newest }] of rows) if (newest <= index - WINDOW) rows.delete(label);
  }

  return {
    add(draft) {
      const { time } = draft;
      first ??= time;
      const label = group.labelOf(draft);
      const index = Math.floor(Math.max(0, time - first) / interval);
      let row = rows.get(label);
      if (row === undefined) {
        if (rows.size >= CAPACITY) forgetQuiet(index);
        if (rows.size >= CAPACITY) {
          others++;
          return;
        }
        row = { label, counts: Array<number>(WINDOW).fill(0), newest: index, total: 0 };
        rows.set(label, row);
      }
      moveTo(row, index);
      row.counts[index % WINDOW] = (row.counts[index % WINDOW] ?? 0) + 1;
      row.total++;
    },
    lines(now, room) {
      const elapsed = Math.max(now - (first ?? now), 1);
      const last = Math.floor(elapsed / interval);
      const before = Math.max(0, last - WINDOW + 1);
      const seconds = (elapsed - before * interval) / 1e9;
      /** The rate in the last whole interval: the running one has fewer retransmits yet. */
      const rateNow = (history: readonly number[]) =>
        last === 0 ? (history.at(-1) ?? 0) / seconds : (history.at(-2) ?? 0) / (interval / 1e9);
      const seen = [...rows.values()].map((row) => {
        moveTo(row, last);
        const history = Array.from({ length: WINDOW }, (_, age) => {
          const index = last - WINDOW + 1 + age;
          return index < 0 ? 0 : (row.counts[index % WINDOW] ?? 0);
        });
        return { row, history, sum: history.reduce((sum, count) => sum + count, 0) };
      });
      const worst = seen.filter(({ sum }) => sum > 0).sort((a, b) => b.sum - a.sum);
      const all = worst.reduce((sum, each) => sum + each.sum, 0);
      const highest = worst.reduce((most, { history }) => Math.max(most, ...history), 1);
      const bar = (count: number) => BARS.charAt(Math.ceil((count / highest) * (BARS.length - 1)));
      const shown = worst
        .slice(0, room)
        .map(({ row, history, sum }) =>
          table.line([
            row.label,
            rateNow(history).toFixed(1),
            (sum / seconds).toFixed(1),
            `${Math.round((sum / all) * 100)} %`,
            history.map(bar).join(''),
            row.total,
          ]),
        );
      const left = others > 0 ? `, ${others} of others not counted by ${group.noun}` : '';
      return [
        `${counted(all, 'retransmit', 'retransmits')} with ${counted(worst.length, group.noun, group.plural)} in ${seconds.toFixed(1)} s, by ${interval / 1e9} s${left}`,
        table.header,
        ...shown,
      ];
    },
  };
}
