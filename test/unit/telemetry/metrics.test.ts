import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { METRICS } from '../../../src/telemetry/metric-table.ts';
import { createMetrics, DELIVERY_LATENCY, type Metrics } from '../../../src/telemetry/metrics.ts';
import type { TelemetrySnapshot } from '../../../src/telemetry/snapshot.ts';
import { openLedger } from '../../support/open-ledger.ts';
import { readPrometheusText } from './prometheus-text.ts';
import { healthySnapshot } from './snapshots.ts';

const open: Metrics[] = [];
/** Metrics that are scraped from this snapshot. */
type Scraped = Omit<Metrics, 'prometheus'> & { prometheus(): Promise<string> };

function metricsOf(snapshot: () => TelemetrySnapshot): Scraped {
  const metrics = createMetrics();
  open.push(metrics);
  return { ...metrics, prometheus: () => metrics.prometheus(snapshot) };
}
afterEach(async () => {
  for (const metrics of open.splice(0)) await metrics.close();
});

/** Every sample of a scrape by its name and labels. */
async function samplesOf(metrics: Scraped): Promise<Record<string, number>> {
  const families = readPrometheusText(await metrics.prometheus());
  return Object.fromEntries([...families.values()].flatMap(({ samples }) => [...samples]));
}

test('every number of the snapshot is scraped, each under its own name', async () => {
  const samples = await samplesOf(metricsOf(healthySnapshot));
  expect(samples).toEqual({
    [`ktc_build_info{node="${process.versions.node}",version="0.1.0"}`]: 1,
    ktc_uptime_seconds: 7830.5,
    ktc_records_read_total: 123_471,
    ktc_records_decoded_total: 123_467,
    ktc_records_malformed_total: 4,
    'ktc_lost_total{reason="kernel_overrun"}': 12_345,
    'ktc_lost_total{reason="malformed_page"}': 0,
    ktc_events_derived_total: 44,
    'ktc_events_filtered_total{reason="event_disabled"}': 433,
    'ktc_events_filtered_total{reason="own_traffic"}': 50,
    'ktc_events_suppressed_total{kind="tcp_state"}': 6,
    'ktc_events_suppressed_total{kind="tcp_life"}': 5,
    ktc_events_held: 17,
    ktc_events_emitted_total: 123_000,
    ktc_ledger_imbalances: 0,
    'ktc_sink_events_delivered_total{sink="kafka"}': 120_000,
    'ktc_sink_events_delivered_total{sink="file"}': 122_999,
    'ktc_sink_events_rejected_total{reason="message_too_large",sink="kafka"}': 2,
    'ktc_sink_events_dropped_total{reason="spool_full",sink="kafka"}': 98,
    'ktc_sink_events_queued{sink="kafka"}': 400,
    'ktc_sink_events_queued{sink="file"}': 1,
    'ktc_sink_events_in_flight{sink="kafka"}': 500,
    'ktc_sink_events_in_flight{sink="file"}': 0,
    'ktc_sink_window{sink="kafka"}': 2,
    'ktc_sink_window{sink="file"}': 1,
    'ktc_sink_events_recovered_total{sink="kafka"}': 0,
    'ktc_sink_events_recovered_total{sink="file"}': 0,
    'ktc_sink_events_spooled{sink="kafka"}': 2_000,
    'ktc_sink_events_spooled{sink="file"}': 0,
    ktc_spool_bytes: 1_572_864,
    ktc_spool_max_bytes: 1_073_741_824,
    ktc_spool_segments: 2,
    ktc_spool_memory_bytes: 455,
    ktc_spool_failing: 0,
    'ktc_sink_batches_sent_total{sink="kafka"}': 611,
    'ktc_sink_batches_sent_total{sink="file"}': 613,
    'ktc_sink_retries_total{sink="kafka"}': 7,
    'ktc_sink_retries_total{sink="file"}': 0,
    'ktc_sink_state{sink="kafka",state="opening"}': 0,
    'ktc_sink_state{sink="kafka",state="ready"}': 1,
    'ktc_sink_state{sink="kafka",state="retrying"}': 0,
    'ktc_sink_state{sink="kafka",state="failed"}': 0,
    'ktc_sink_state{sink="file",state="opening"}': 0,
    'ktc_sink_state{sink="file",state="ready"}': 1,
    'ktc_sink_state{sink="file",state="retrying"}': 0,
    'ktc_sink_state{sink="file",state="failed"}': 0,
    'ktc_sink_last_acknowledged_timestamp_seconds{sink="kafka"}': 1_795_486_519.25,
    ktc_tracked_connections: 1024,
    ktc_tracked_connections_evicted_total: 31,
    'ktc_source_info{clock="mono",instance="ktc",kind="tracepoints"}': 1,
    ktc_source_open: 1,
    ktc_source_paused: 0,
    'ktc_source_probe_enabled{probe="sock:inet_sock_set_state"}': 1,
    'ktc_source_probe_enabled{probe="tcp:tcp_retransmit_skb"}': 1,
    'ktc_source_probe_enabled{probe="tcp:tcp_send_reset"}': 0,
    'ktc_source_overrun_records_total{cpu="0"}': 12_000,
    'ktc_source_overrun_records_total{cpu="1"}': 345,
    'ktc_source_unread_bytes{cpu="0"}': 4096,
    process_resident_memory_bytes: 73_400_320,
    process_cpu_seconds_total: 12.25,
    ktc_event_loop_delay_p99_seconds: 0.0042,
  });
});

test('a scrape shows the state of its moment, however much happened between two', async () => {
  const snapshot = healthySnapshot();
  const metrics = metricsOf(() => snapshot);
  await metrics.prometheus();
  openLedger(snapshot.ledger).read += 1_000_000;
  openLedger(snapshot.ledger).filtered['excluded_port'] = 3;
  openLedger(snapshot.ledger).held = 5;
  const samples = await samplesOf(metrics);
  expect(samples['ktc_records_read_total']).toBe(1_123_471);
  expect(samples['ktc_events_filtered_total{reason="excluded_port"}']).toBe(3);
  expect(samples['ktc_events_held']).toBe(5);
});

test('one scrape takes one snapshot, and scrapes at the same moment share it and lose nothing', async () => {
  let taken = 0;
  const metrics = metricsOf(() => {
    taken++;
    return healthySnapshot();
  });
  const [first, second] = await Promise.all([samplesOf(metrics), samplesOf(metrics)]);
  expect(taken).toBe(1);
  expect(second).toEqual(first);
  expect(await samplesOf(metrics)).toEqual(first);
  expect(taken).toBe(2);
});

test('a probe that a reload removed is gone from the next scrape', async () => {
  const before = healthySnapshot();
  const after = { ...before, source: { ...before.source, probes: before.source.probes.slice(1) } };
  let now = before;
  const metrics = metricsOf(() => now);
  const gone = 'ktc_source_probe_enabled{probe="sock:inet_sock_set_state"}';
  expect(await samplesOf(metrics)).toHaveProperty([gone], 1);
  now = after;
  expect(await samplesOf(metrics)).not.toHaveProperty([gone]);
});

test('delivery latency is a histogram in seconds for each sink', async () => {
  const metrics = metricsOf(healthySnapshot);
  for (const milliseconds of [4, 120, 250, 250, 4_000_000])
    metrics.recordDeliveryLatency('kafka', milliseconds);
  metrics.recordDeliveryLatency('file', 1);
  const text = await metrics.prometheus();
  const family = readPrometheusText(text).get(DELIVERY_LATENCY.name);
  const sample = (suffix: string, labels: string) =>
    family?.samples.get(`${DELIVERY_LATENCY.name}${suffix}{${labels}}`);

  expect(family?.type).toBe('histogram');
  expect(sample('_count', 'sink="kafka"')).toBe(5);
  expect(sample('_sum', 'sink="kafka"')).toBeCloseTo(4000.624, 9);
  expect(sample('_bucket', 'le="0.005",sink="kafka"')).toBe(1);
  expect(sample('_bucket', 'le="0.2",sink="kafka"')).toBe(2);
  expect(sample('_bucket', 'le="0.3",sink="kafka"')).toBe(4);
  expect(sample('_bucket', 'le="1800",sink="kafka"')).toBe(4);
  expect(sample('_bucket', 'le="+Inf",sink="kafka"')).toBe(5);
  expect(sample('_count', 'sink="file"')).toBe(1);
});

test('names of sinks and reasons with quotes, backslashes and newlines stay one valid sample', async () => {
  const snapshot = healthySnapshot();
  Object.assign(snapshot.ledger.filtered, { 'a"b\\c\nd': 9 });
  Object.assign(snapshot.ledger.filtered, { event_disabled: 0, own_traffic: 0 });
  const samples = await samplesOf(metricsOf(() => snapshot));
  expect(samples['ktc_events_filtered_total{reason="a\\"b\\\\c\\nd"}']).toBe(9);
});

test('a snapshot that throws makes the scrape reject, and the next one works', async () => {
  let broken = true;
  const metrics = metricsOf(() => {
    if (broken) throw new Error('no snapshot');
    return healthySnapshot();
  });
  await expect(metrics.prometheus()).rejects.toThrow('reading the metrics failed');
  broken = false;
  expect((await samplesOf(metrics))['ktc_records_read_total']).toBe(123_471);
});

test('docs/telemetry.md lists every metric as it is, and none that is not', () => {
  const row = (
    name: string,
    type: string,
    unit: string,
    attributes: readonly string[],
    description: string,
  ) =>
    `| \`${name}\` | ${type} | ${unit} | ${attributes.map((attribute) => `\`${attribute}\``).join(', ')} | ${description} |`;
  const expected = METRICS.map(({ name, kind, unit, attributes, description }) =>
    row(kind === 'counter' ? `${name}_total` : name, kind, unit, attributes, description),
  );
  const { name, unit, attributes, description } = DELIVERY_LATENCY;
  expected.push(row(name, 'histogram', unit, attributes, description));

  const page = readFileSync(new URL('../../../docs/telemetry.md', import.meta.url), 'utf8');
  const listed = page.split('\n').filter((line) => /^\| `(ktc|process)_/.test(line));
  expect(listed).toEqual(expected);
});
