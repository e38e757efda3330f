/** What a metric is, and the shapes that most metrics have. */
import type { Attributes } from '@opentelemetry/api';
import type { SinkAccount } from '../ledger/ledger.ts';
import type { SinkStatus, TelemetrySnapshot } from './snapshot.ts';

type Sample = readonly [value: number, attributes?: Attributes];

export interface MetricRow {
  /** As Prometheus shows it, without the `_total` that every counter ends with there. */
  readonly name: string;
  readonly kind: 'counter' | 'gauge';
  /** By UCUM, as OpenTelemetry's semantic conventions require. */
  readonly unit: string;
  readonly description: string;
  /** The names of the attributes of its samples. */
  readonly attributes: readonly string[];
  readonly read: (snapshot: TelemetrySnapshot) => Iterable<Sample>;
}

type Read<Value> = (snapshot: TelemetrySnapshot) => Value;

/** A number that only grows. */
export function counter(name: string, unit: string, description: string, value: Read<number>): MetricRow {
  return { name, kind: 'counter', unit, description, attributes: [], read: (from) => [[value(from)]] };
}

/** A number that goes up and down. */
export function gauge(name: string, unit: string, description: string, value: Read<number>): MetricRow {
  return { ...counter(name, unit, description, value), kind: 'gauge' };
}

/** A constant 1 with facts as attributes, like the `_info` metrics of Prometheus. */
export function info(
  name: string,
  description: string,
  attributes: readonly string[],
  facts: Read<Attributes>,
): MetricRow {
  return { name, kind: 'gauge', unit: '1', description, attributes, read: (from) => [[1, facts(from)]] };
}

/** A counter with one sample per reason. */
export function byReason(
  name: string,
  unit: string,
  description: string,
  counts: Read<Readonly<Record<string, number>>>,
): MetricRow {
  return {
    ...counter(name, unit, description, () => 0),
    attributes: ['reason'],
    *read(snapshot) {
      for (const [reason, amount] of Object.entries(counts(snapshot))) yield [amount, { reason }];
    },
  };
}

/** A number of the account of each sink, in events. */
export function sinkAccount(
  kind: MetricRow['kind'],
  name: string,
  description: string,
  value: (account: SinkAccount) => number,
): MetricRow {
  return {
    name,
    kind,
    unit: '{event}',
    description,
    attributes: ['sink'],
    *read({ ledger }) {
      for (const [sink, account] of Object.entries(ledger.sinks)) yield [value(account), { sink }];
    },
  };
}

/** A counter with one sample per sink and reason, in events. */
export function sinkReasons(
  name: string,
  description: string,
  counts: (account: SinkAccount) => Readonly<Record<string, number>>,
): MetricRow {
  return {
    name,
    kind: 'counter',
    unit: '{event}',
    description,
    attributes: ['sink', 'reason'],
    *read({ ledger }) {
      for (const [sink, account] of Object.entries(ledger.sinks))
        for (const [reason, amount] of Object.entries(counts(account))) yield [amount, { sink, reason }];
    },
  };
}

/** A number of the status of each sink; no sample where it is null. */
export function sinkStatus(
  kind: MetricRow['kind'],
  name: string,
  unit: string,
  description: string,
  value: (status: SinkStatus) => number | null,
): MetricRow {
  return {
    name,
    kind,
    unit,
    description,
    attributes: ['sink'],
    *read({ sinks }) {
      for (const [sink, status] of Object.entries(sinks)) {
        const amount = value(status);
        if (amount !== null) yield [amount, { sink }];
      }
    },
  };
}
