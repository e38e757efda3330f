/** What the model says about a part of the time. The page, the terminal and the JSON are made from it. */
import { RETRANSMIT_KINDS } from '../event/kinds.ts';
import { BUCKETS, percentileUs } from './histogram.ts';
import {
  DURATION_KINDS,
  type DurationKind,
  type Grid,
  HOST_MEASURES,
  type HostMeasure,
  type HostRow,
  MEASURES,
  type Measure,
  type PairRow,
  type PeerRow,
  type Period,
  PLACE_LABELS,
  type PlaceLabel,
  type ReportModel,
  type ResetRow,
  type ServiceRow,
} from './model.ts';
import { recordOf } from './record.ts';

/** Seconds since 1970, the end left out: multiples of the period's `snap_s`. */
export interface Range {
  readonly from_s: number;
  readonly to_s: number;
}

/** Sums of one row. */
export interface Figures<M extends string = Measure> {
  readonly sums: Readonly<Record<M, number>>;
  /** Segments sent again, of all kinds. */
  readonly retransmits: number;
  /** Segments sent again per segment sent, of the connections that closed; null where none is known. */
  readonly rate: number | null;
}

export interface Counted<Row, M extends string = Measure> extends Figures<M> {
  readonly row: Row;
}

/** Of one kind of duration: how many, and percentiles in microseconds. */
export interface Spread {
  readonly count: number;
  readonly p50_us: number | null;
  readonly p95_us: number | null;
  readonly p99_us: number | null;
}

export interface CountedService extends Counted<ServiceRow> {
  readonly spreads: Readonly<Record<DurationKind, Spread>>;
}

/** By kind, how many per bucket (histogram.ts). */
export type Durations = Readonly<Record<DurationKind, Float64Array>>;

/** Rows with no count in the range are left out. */
export interface View {
  readonly range: Range;
  readonly total: Figures;
  readonly peers: readonly Counted<PeerRow>[];
  readonly hosts: readonly Counted<HostRow, HostMeasure>[];
  readonly pairs: Readonly<Record<PlaceLabel, readonly Counted<PairRow>[]>>;
  readonly services: readonly CountedService[];
  readonly durations: Durations;
  readonly durationsOf: ReadonlyMap<ServiceRow, Durations>;
  readonly resets: readonly { readonly row: ResetRow; readonly count: number }[];
}

export function wholeRange({ start_s, end_s }: Period): Range {
  return { from_s: start_s, to_s: end_s };
}

export function viewOf(model: ReportModel, range: Range): View {
  const { period } = model;
  const counted = <Row>(table: { rows: readonly Row[]; grid: Grid<Measure> }) =>
    countRows(table, MEASURES, period, range);
  const [total] = countRows({ rows: [null], grid: model.timeline }, MEASURES, period, range);
  const durations = countDurations(model, range);
  return {
    range,
    total: total ?? figuresOf(zeros(MEASURES)),
    peers: counted(model.peers),
    hosts: countRows(model.hosts, HOST_MEASURES, period, range),
    pairs: recordOf(PLACE_LABELS, (label) => counted(model.pairs[label])),
    services: sumRows(model.services, MEASURES, period, range).flatMap(({ row, sums, isEmpty }, index) => {
      const spreads = spreadsOf(durations.byService.get(index));
      return isEmpty && spreads === NO_SPREADS ? [] : [{ row, spreads, ...figuresOf(sums) }];
    }),
    durations: durations.all,
    durationsOf: new Map(
      [...durations.byService].flatMap(([index, counts]) => {
        const row = model.services.rows[index];
        return row === undefined ? [] : [[row, counts]];
      }),
    ),
    resets: sumRows(model.resets, ['count'], period, range).flatMap(({ row, sums, isEmpty }) =>
      isEmpty ? [] : [{ row, count: sums.count }],
    ),
  };
}

interface SummedRow<Row, M extends string> {
  readonly row: Row;
  readonly sums: Record<M, number>;
  readonly isEmpty: boolean;
}

function zeros<M extends string>(measures: readonly M[]): Record<M, number> {
  return recordOf(measures, () => 0);
}

/** Calls for each count of a measure within the range; `slice` is counted from the begin of the period. */
export function forEachCount<M extends string>(
  grid: Grid<M>,
  measure: M,
  { start_s }: Period,
  { from_s, to_s }: Range,
  visit: (row: number, value: number, slice: number) => void,
): void {
  const { rows, slices, values } = grid.series[measure];
  const [from, to] = [(from_s - start_s) / grid.step_s, (to_s - start_s) / grid.step_s];
  let row = 0;
  for (let index = 0; index < values.length; index++) {
    row += rows[index] ?? 0;
    const slice = slices[index] ?? 0;
    if (slice >= from && slice < to) visit(row, values[index] ?? 0, slice);
  }
}

function sumRows<Row, M extends string>(
  { rows, grid }: { rows: readonly Row[]; grid: Grid<M> },
  measures: readonly M[],
  period: Period,
  range: Range,
): SummedRow<Row, M>[] {
  const summed = rows.map((row) => ({ row, sums: zeros(measures), isEmpty: true }));
  for (const measure of measures) {
    forEachCount(grid, measure, period, range, (row, value) => {
      const found = summed[row];
      if (found === undefined) return;
      found.sums[measure] += value;
      found.isEmpty = false;
    });
  }
  return summed;
}

function countRows<Row, M extends HostMeasure>(
  table: { rows: readonly Row[]; grid: Grid<M> },
  measures: readonly M[],
  period: Period,
  range: Range,
): Counted<Row, M>[] {
  return sumRows(table, measures, period, range).flatMap(({ row, sums, isEmpty }) =>
    isEmpty ? [] : [{ row, ...figuresOf(sums) }],
  );
}

function figuresOf<M extends HostMeasure>(sums: Record<M, number>): Figures<M> {
  const { segments = 0, segments_again = 0, ...rest }: Partial<Record<HostMeasure, number>> = sums;
  const retransmits = RETRANSMIT_KINDS.reduce((sum, kind) => sum + (rest[kind] ?? 0), 0);
  return { sums, retransmits, rate: segments === 0 ? null : segments_again / segments };
}

/** Both ways, of the connections that closed; null where no connection told any, as without tcp_trace.ko. */
export function bytesOf({ bytes, segments }: Readonly<Record<'bytes' | 'segments', number>>): number | null {
  return bytes + segments === 0 ? null : bytes;
}

function countDurations({ durations, period }: ReportModel, range: Range) {
  const empty = () => recordOf(DURATION_KINDS, () => new Float64Array(BUCKETS));
  const all = empty();
  const byService = new Map<number, Durations>();
  forEachCount(durations.grid, 'count', period, range, (number, value) => {
    const row = durations.rows[number];
    if (row === undefined) return;
    const { service, kind, bucket } = row;
    const ofService = byService.get(service) ?? empty();
    byService.set(service, ofService);
    for (const counts of [all[kind], ofService[kind]]) counts[bucket] = (counts[bucket] ?? 0) + value;
  });
  return { all, byService };
}

export function spreadOf(counts: Float64Array): Spread {
  const count = counts.reduce((sum, value) => sum + value, 0);
  const at = (share: number) => percentileUs(counts, share);
  return { count, p50_us: at(0.5), p95_us: at(0.95), p99_us: at(0.99) };
}

const NO_SPREAD: Spread = { count: 0, p50_us: null, p95_us: null, p99_us: null };
const NO_SPREADS = { connect: NO_SPREAD, lifetime: NO_SPREAD, rtt: NO_SPREAD };

function spreadsOf(durations: Durations | undefined): CountedService['spreads'] {
  if (durations === undefined) return NO_SPREADS;
  const { connect, lifetime, rtt } = durations;
  return { connect: spreadOf(connect), lifetime: spreadOf(lifetime), rtt: spreadOf(rtt) };
}
