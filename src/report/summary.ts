/** What `ktc report --json` prints: the headlines and the tables of the whole time, without their slices. */
import type { Headline } from './headlines/headline.ts';
import { headlinesOf } from './headlines.ts';
import { type HostMeasure, PLACE_LABELS, type ReportModel } from './model.ts';
import { recordOf } from './record.ts';
import { type Counted, type Figures, spreadOf, type View, viewOf, wholeRange } from './view.ts';

type Row = Readonly<Record<string, unknown>>;

/** docs/report.md describes it; src/report/summary.schema.json is its schema. */
export interface Summary {
  readonly schema_version: 1;
  readonly ktc_version: string;
  readonly generated_at: string;
  readonly period: { readonly from: string; readonly to: string };
  readonly input: ReportModel['input'];
  readonly headlines: readonly Headline[];
  readonly total: Row;
  readonly peers: readonly Row[];
  readonly hosts: readonly Row[];
  readonly pairs: Readonly<Record<string, readonly Row[]>>;
  readonly services: readonly Row[];
  readonly durations: Row;
  readonly resets: readonly Row[];
  readonly account: ReportModel['account'];
  readonly leaks: ReportModel['leaks'];
}

export function summaryOf(model: ReportModel): Summary {
  const view = viewOf(model, wholeRange(model.period));
  const { schema_version, ktc_version, generated_at, period, input, account, leaks } = model;
  return {
    ...{ schema_version, ktc_version, generated_at },
    period: { from: iso(period.first_s), to: iso(period.last_s) },
    input,
    headlines: headlinesOf(model, view),
    total: flat(view.total),
    peers: byRetransmits(view.peers).map(row),
    hosts: byRetransmits(view.hosts).map(row),
    pairs: recordOf(PLACE_LABELS, (label) => byRetransmits(view.pairs[label]).map(row)),
    services: byRetransmits(view.services).map((service) => ({
      ...row(service),
      durations: service.spreads,
    })),
    durations: spreads(view),
    resets: view.resets.map(({ row: reset, count }) => ({ ...reset, count })),
    account,
    leaks,
  };
}

function iso(second: number): string {
  return new Date(second * 1000).toISOString();
}

export function byRetransmits<
  T extends { readonly retransmits: number; readonly sums: Readonly<Record<'closed', number>> },
>(rows: readonly T[]): T[] {
  return [...rows].sort(
    (one, other) => other.retransmits - one.retransmits || other.sums.closed - one.sums.closed,
  );
}

function flat({ retransmits, rate, sums }: Figures<HostMeasure> | Figures): Row {
  return { retransmits, rate, ...sums };
}

function row(counted: Counted<object, HostMeasure> | Counted<object>): Row {
  return { ...counted.row, ...flat(counted) };
}

function spreads({ durations }: View): Row {
  const { connect, lifetime, rtt } = durations;
  return { connect: spreadOf(connect), lifetime: spreadOf(lifetime), rtt: spreadOf(rtt) };
}
