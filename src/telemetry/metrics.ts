/** OpenTelemetry metrics, read from a snapshot for each scrape: the path of an event has no metric calls. */
import type { Observable } from '@opentelemetry/api';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import {
  AggregationTemporality,
  InstrumentType,
  MeterProvider,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import type { MetricRow } from './metric-row.ts';
import { METRICS } from './metric-table.ts';
import type { TelemetrySnapshot } from './snapshot.ts';

/** The only metric that is recorded instead of read: the age of the oldest event of every acknowledged batch. */
export const DELIVERY_LATENCY = {
  name: 'ktc_delivery_latency_seconds',
  unit: 's',
  description: "From the kernel's timestamp of a batch's oldest event to the acknowledgement of the batch",
  attributes: ['sink'],
  boundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
} as const;

export interface Metrics {
  /**
   * All metrics in Prometheus' text format 0.0.4. Calls `snapshot` once; two scrapes at the same time share its
   * numbers. Rejects only when `snapshot` throws, which is a bug.
   */
  prometheus(snapshot: () => TelemetrySnapshot): Promise<string>;
  /** To be called once for each acknowledged batch. */
  recordDeliveryLatency(sink: string, milliseconds: number): void;
  close(): Promise<void>;
}

export function createMetrics(): Metrics {
  const reader = new OnDemandReader();
  const provider = new MeterProvider({ readers: [reader] });
  const meter = provider.getMeter('ktc');
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);

  const rows = METRICS.map((row) => {
    const options = { unit: row.unit, description: row.description };
    const instrument: Observable =
      row.kind === 'counter'
        ? meter.createObservableCounter(row.name, options)
        : meter.createObservableGauge(row.name, options);
    return [instrument, row.read] satisfies [Observable, MetricRow['read']];
  });
  let takeSnapshot = (): TelemetrySnapshot => {
    throw new Error('the metrics were read without a snapshot');
  };
  // One callback for all of them: one snapshot, so that the ledger's equations hold among the scraped numbers.
  meter.addBatchObservableCallback(
    (result) => {
      const now = takeSnapshot();
      for (const [instrument, read] of rows)
        for (const [value, attributes] of read(now)) result.observe(instrument, value, attributes);
    },
    rows.map(([instrument]) => instrument),
  );

  const { name, unit, description, boundaries } = DELIVERY_LATENCY;
  const latency = meter.createHistogram(name, {
    unit,
    description,
    advice: { explicitBucketBoundaries: [...boundaries] },
  });

  const collect = async () => {
    const { resourceMetrics, errors } = await reader.collect();
    if (errors.length > 0) throw new AggregateError(errors, 'reading the metrics failed');
    return serializer.serialize(resourceMetrics);
  };
  let collecting: Promise<string> | null = null;

  return {
    prometheus(snapshot) {
      if (collecting === null) takeSnapshot = snapshot;
      // Two collections at a time would take each other's observations.
      collecting ??= collect().finally(() => {
        collecting = null;
      });
      return collecting;
    },
    recordDeliveryLatency: (sink, milliseconds) => latency.record(milliseconds / 1000, { sink }),
    close: () => provider.shutdown(),
  };
}

/** Reads on request. OpenTelemetry's Prometheus exporter would do, but it has an HTTP server of its own. */
class OnDemandReader extends MetricReader {
  constructor() {
    super({
      // As cumulative, the SDK would report a gauge's attributes for ever, such as a probe that a reload removed.
      aggregationTemporalitySelector: (type) =>
        type === InstrumentType.OBSERVABLE_GAUGE
          ? AggregationTemporality.DELTA
          : AggregationTemporality.CUMULATIVE,
    });
  }
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}
