/** What the chart over time can show. */
import { RETRANSMIT_KINDS } from '../../event/kinds.ts';
import type { Measure, ReportModel } from '../model.ts';
import { forEachCount, wholeRange } from '../view.ts';
import { KIND_NAMES } from '../words.ts';

export interface LineSet {
  readonly id: string;
  readonly label: string;
  readonly series: readonly { readonly measure: Measure; readonly label: string; readonly color: string }[];
}

export const LINES: readonly [LineSet, ...LineSet[]] = [
  {
    id: 'retransmits',
    label: 'Retransmits',
    series: RETRANSMIT_KINDS.map((kind) => ({
      measure: kind,
      label: KIND_NAMES[kind],
      color: `--kind-${kind}`,
    })),
  },
  {
    id: 'connections',
    label: 'Connections',
    series: [
      { measure: 'opened', label: 'opened', color: '--kind-fast' },
      { measure: 'closed', label: 'closed', color: '--kind-unknown' },
    ],
  },
  {
    id: 'resets',
    label: 'Resets',
    series: [
      { measure: 'resets_sent', label: 'sent', color: '--kind-rto' },
      { measure: 'resets_received', label: 'received', color: '--kind-tlp' },
    ],
  },
];

export interface Slices {
  /** The begin of each, from the first event to the last; seconds since 1970. */
  readonly times: readonly number[];
  /** By line, then by slice. */
  readonly values: readonly (readonly number[])[];
  /** The slice with the highest sum. */
  readonly busiest: number;
}

export function slicesOf({ timeline, period }: ReportModel, { series }: LineSet): Slices {
  const { step_s } = timeline;
  const first = Math.floor((period.first_s - period.start_s) / step_s);
  const last = Math.floor((period.last_s - period.start_s) / step_s);
  const times = Array.from(
    { length: last - first + 1 },
    (_, slice) => period.start_s + (first + slice) * step_s,
  );
  const sums = times.map(() => 0);
  const values = series.map(({ measure }) => {
    const ofMeasure = times.map(() => 0);
    forEachCount(timeline, measure, period, wholeRange(period), (_row, value, slice) => {
      ofMeasure[slice - first] = value;
      sums[slice - first] = (sums[slice - first] ?? 0) + value;
    });
    return ofMeasure;
  });
  return { times, values, busiest: sums.indexOf(Math.max(...sums)) };
}
