/** Every metric that is read from a snapshot, one row each; docs/telemetry.md has the same rows. */
import { LOSS_REASONS, type LossReason } from '../ledger/reasons.ts';
import {
  byReason,
  counter,
  gauge,
  info,
  type MetricRow,
  sinkAccount,
  sinkReasons,
  sinkStatus,
} from './metric-row.ts';
import { SINK_STATES } from './snapshot.ts';

/** The unit of a loss depends on its reason; these are examples. */
const LOSS_UNITS = (['kernel_overrun', 'malformed_page', 'settings_changed'] as const satisfies LossReason[])
  .map((reason) => `${reason} in ${LOSS_REASONS[reason].unit}`)
  .join(', ');

export const METRICS: readonly MetricRow[] = [
  info('ktc_build_info', 'Version of the agent and of its runtime', ['version', 'node'], ({ version }) => ({
    version,
    node: process.versions.node,
  })),
  gauge('ktc_uptime_seconds', 's', 'Time since the agent started', (snapshot) => snapshot.uptime_s),

  counter('ktc_records_read', '{record}', 'Kernel records read', ({ ledger }) => ledger.read),
  counter('ktc_records_decoded', '{record}', 'Kernel records decoded', ({ ledger }) => ledger.decoded),
  counter(
    'ktc_records_malformed',
    '{record}',
    'Kernel records that could not be decoded',
    ({ ledger }) => ledger.malformed,
  ),
  byReason(
    'ktc_lost',
    '{record}',
    `What the kernel could not keep or the agent not read: ${LOSS_UNITS}`,
    ({ ledger }) => ledger.lost,
  ),
  counter(
    'ktc_events_derived',
    '{event}',
    'Events that connection tracking made beside those of the records',
    ({ ledger }) => ledger.derived,
  ),
  byReason('ktc_events_filtered', '{event}', 'Events left out, by reason', ({ ledger }) => ledger.filtered),
  {
    name: 'ktc_events_suppressed',
    kind: 'counter',
    unit: '{event}',
    description: 'Events above the limit of their kind',
    attributes: ['kind'],
    *read({ ledger }) {
      for (const [kind, amount] of Object.entries(ledger.suppressed)) yield [amount, { kind }];
    },
  },
  gauge(
    'ktc_events_held',
    '{event}',
    'Events that wait in connection tracking for the record that completes them',
    ({ ledger }) => ledger.held,
  ),
  counter('ktc_events_emitted', '{event}', 'Events handed to the sinks', ({ ledger }) => ledger.emitted),
  gauge(
    'ktc_ledger_imbalances',
    '{equation}',
    'Equations of the ledger that do not hold; anything but 0 is a bug in the agent',
    ({ imbalances }) => imbalances.length,
  ),

  sinkAccount(
    'counter',
    'ktc_sink_events_delivered',
    'Events that the destination acknowledged',
    ({ delivered }) => delivered,
  ),
  sinkReasons(
    'ktc_sink_events_rejected',
    'Events that the destination refused for good',
    (sink) => sink.rejected,
  ),
  sinkReasons(
    'ktc_sink_events_dropped',
    'Events given up before they were delivered',
    (sink) => sink.dropped,
  ),
  sinkAccount(
    'counter',
    'ktc_sink_events_recovered',
    'Events of earlier runs that were in the spool at the start',
    ({ recovered }) => recovered,
  ),
  sinkAccount('gauge', 'ktc_sink_events_queued', 'Events that wait in memory', ({ queued }) => queued),
  sinkAccount('gauge', 'ktc_sink_events_spooled', 'Events that wait on disk', ({ spooled }) => spooled),
  sinkAccount(
    'gauge',
    'ktc_sink_events_in_flight',
    'Events sent and not yet acknowledged',
    ({ in_flight }) => in_flight,
  ),
  sinkStatus(
    'gauge',
    'ktc_sink_window',
    '{batch}',
    'Batches that may be in flight at a time now',
    (sink) => sink.window,
  ),
  sinkStatus('counter', 'ktc_sink_batches_sent', '{batch}', 'Batches sent', (sink) => sink.batches_sent),
  sinkStatus('counter', 'ktc_sink_retries', '{batch}', 'Batches sent again', (sink) => sink.retries),
  {
    name: 'ktc_sink_state',
    kind: 'gauge',
    unit: '1',
    description: `1 for the state the sink is in, 0 for the others: ${SINK_STATES.join(', ')}`,
    attributes: ['sink', 'state'],
    *read({ sinks }) {
      for (const [sink, status] of Object.entries(sinks))
        for (const state of SINK_STATES) yield [status.state === state ? 1 : 0, { sink, state }];
    },
  },
  sinkStatus(
    'gauge',
    'ktc_sink_last_acknowledged_timestamp_seconds',
    's',
    'When the destination acknowledged last, seconds since 1970; absent before the first time',
    ({ last_acknowledged }) => (last_acknowledged === null ? null : Date.parse(last_acknowledged) / 1000),
  ),

  gauge('ktc_spool_bytes', 'By', 'Size of the spool: its files, or memory', ({ spool }) => spool.bytes),
  gauge('ktc_spool_max_bytes', 'By', 'Size that the spool may have', ({ spool }) => spool.max_bytes),
  gauge('ktc_spool_segments', '{file}', 'Files of the spool', ({ spool }) => spool.segments),
  gauge(
    'ktc_spool_memory_bytes',
    'By',
    'Size of the events that wait in memory only',
    ({ spool }) => spool.memory_bytes,
  ),
  gauge('ktc_spool_failing', '1', '1 while the disk does not take events', ({ spool }) =>
    Number(spool.problem !== null),
  ),

  gauge(
    'ktc_tracked_connections',
    '{connection}',
    'Connections in connection tracking',
    ({ tracking }) => tracking.connections,
  ),
  counter(
    'ktc_tracked_connections_evicted',
    '{connection}',
    'Connections forgotten to make room: their later events have fewer facts',
    ({ tracking }) => tracking.evicted,
  ),

  info('ktc_source_info', 'Where the events come from', ['kind', 'clock', 'instance'], ({ source }) => ({
    kind: source.kind,
    clock: source.clock,
    instance: source.instance ?? '',
  })),
  gauge('ktc_source_open', '1', '1 while records can arrive', ({ source }) => Number(source.open)),
  gauge('ktc_source_paused', '1', '1 while reading stands still because a sink is behind', ({ source }) =>
    Number(source.paused),
  ),
  {
    name: 'ktc_source_probe_enabled',
    kind: 'gauge',
    unit: '1',
    description: '1 for a probe that is enabled, 0 for one that is not',
    attributes: ['probe'],
    *read({ source }) {
      for (const probe of source.probes) yield [Number(probe.enabled), { probe: probe.name }];
    },
  },
  {
    name: 'ktc_module_probe',
    kind: 'gauge',
    unit: '1',
    description:
      '1 for each function that tcp_trace.ko probes: absent, off or on, and whether by ftrace or by a breakpoint',
    attributes: ['function', 'state', 'way'],
    *read({ source }) {
      for (const { function: name, state, way } of source.module?.hooks ?? [])
        yield [1, { function: name, state, way: way ?? 'none' }];
    },
  },
  {
    name: 'ktc_module_missed_calls',
    kind: 'counter',
    unit: '{call}',
    description: 'Calls that a probe of tcp_trace.ko could not see, since it was loaded',
    attributes: ['function'],
    *read({ source }) {
      for (const { function: name, missed } of source.module?.hooks ?? []) yield [missed, { function: name }];
    },
  },
  {
    name: 'ktc_source_overrun_records',
    kind: 'counter',
    unit: '{record}',
    description: 'Records that the kernel overwrote or dropped because the ring buffer was full',
    attributes: ['cpu'],
    *read({ source }) {
      for (const { cpu, overrun } of source.cpus) yield [overrun, { cpu: String(cpu) }];
    },
  },
  {
    name: 'ktc_source_unread_bytes',
    kind: 'gauge',
    unit: 'By',
    description: 'Bytes in the ring buffer that are not yet read',
    attributes: ['cpu'],
    *read({ source }) {
      for (const { cpu, unread_bytes } of source.cpus)
        if (unread_bytes !== null) yield [unread_bytes, { cpu: String(cpu) }];
    },
  },

  // The names that all Prometheus client libraries use, so that ready-made dashboards find them.
  gauge('process_resident_memory_bytes', 'By', 'Resident memory', (snapshot) => snapshot.process.rss_bytes),
  counter('process_cpu_seconds', 's', 'User and system CPU time', (snapshot) => snapshot.process.cpu_seconds),
  gauge(
    'ktc_event_loop_delay_p99_seconds',
    's',
    'How late the event loop comes to its timers, 99th percentile of the last one to two minutes',
    (snapshot) => snapshot.process.event_loop_delay_p99_s,
  ),
];
