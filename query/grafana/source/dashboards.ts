/** The dashboards: what stands on each, in reading order. */
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { CLICKHOUSE, chosen, datasourceVariable, PROMETHEUS } from './datasource.ts';
import { lines, matrix, metric, number, type PanelBuilder, rows } from './panels.ts';
import { ALL, questionOf } from './question.ts';

const SELECTED = `job=~"$job",instance=~"$instance"`;
const rate = (name: string): string => `rate(${name}{${SELECTED}}[$__rate_interval])`;

interface Page {
  readonly uid: string;
  readonly title: string;
  readonly question: string;
  readonly variables: readonly VariableBuilder[];
  readonly panels: readonly PanelBuilder[];
}

type VariableBuilder = Parameters<dashboard.DashboardBuilder['withVariable']>[0];

/** Several values of a label; none chosen means all. */
function labelVariable(label: 'datacenter' | 'rack' | 'service'): VariableBuilder {
  return new dashboard.QueryVariableBuilder(label)
    .datasource(chosen(CLICKHOUSE))
    .query(questionOf(`variable-${label}`).sql)
    .refresh(dashboard.VariableRefresh.OnDashboardLoad)
    .multi(true)
    .includeAll(true)
    .allValue(ALL)
    .current({ selected: true, text: ['All'], value: ['$__all'] });
}

const LABELS = [labelVariable('datacenter'), labelVariable('rack'), labelVariable('service')];
const OF_FLEET = [datasourceVariable(CLICKHOUSE), ...LABELS];

const hostVariable = new dashboard.QueryVariableBuilder('host')
  .datasource(chosen(CLICKHOUSE))
  .query(questionOf('variable-host').sql)
  .refresh(dashboard.VariableRefresh.OnDashboardLoad);

const peerVariable = new dashboard.TextBoxVariableBuilder('peer')
  .description('An IPv4 or IPv6 address')
  .defaultValue('127.0.0.1');

const prometheusVariable = (name: 'job' | 'instance', query: string) =>
  new dashboard.QueryVariableBuilder(name)
    .datasource(chosen(PROMETHEUS))
    .query(query)
    .refresh(dashboard.VariableRefresh.OnDashboardLoad)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: ['All'], value: ['$__all'] });

/** What an empty answer means, where several panels say the same. */
const NO_STATUS = 'No host_status in this time.';
const NO_CONNECT = 'No connection was opened in this time.';
const NO_CLOSED = 'No connection that tells its round-trip time was closed in this time.';
const NO_RESET = 'No reset in this time.';
const NO_METRICS = 'No agent answers Prometheus in this time.';
const NO_RETRANSMIT = 'No retransmit was recorded in this time.';

const BY_KIND = { isBars: true, namedBy: 'retransmit_kind' } as const;

const FLEET: Page = {
  ...{
    uid: 'ktc-fleet',
    title: 'KTC: the fleet',
    question: 'Where does TCP suffer in the fleet?',
    variables: OF_FLEET,
  },
  panels: [
    number('Retransmits', 'retransmits'),
    number('Share of segments sent again', 'retransmit-share', {
      ...{ unit: 'percentunit', red: 0.01, empty: NO_STATUS },
    }),
    number('Hosts heard of', 'hosts'),
    number('Events missing without explanation', 'unexplained', { red: 1, empty: NO_STATUS }),
    lines('Retransmits by kind', 'retransmits-by-kind', { ...BY_KIND, empty: NO_RETRANSMIT }),
    lines('Connect latency', 'connect-latency', { unit: 'µs', empty: NO_CONNECT }),
    rows('Worst peers', '01-worst-peers', { empty: 'No peer was sent 1,000 segments in this time.' }),
    rows('Worst hosts', '06-host-retransmit-ratio', { empty: NO_STATUS }),
    rows('Connect latency by service', '07-connect-latency', { empty: NO_CONNECT }),
    rows('Peers that do not answer', '08-unanswered-syns', { empty: 'No SYN was sent again in this time.' }),
    rows('Resets', '10-reset-storms', { empty: NO_RESET }),
    rows('Full listen queues', '09-listen-overflows', {
      empty: 'No host has told of a full listen queue in this time.',
    }),
    rows('Connections that are not closed', '12-close-wait-leaks', {
      empty: 'No connection has been seen in CLOSE_WAIT for five minutes.',
    }),
    rows('Silent hosts', '18-silent-hosts', {
      empty: 'No host that was heard of in this time has fallen silent.',
    }),
  ],
};

const RACKS: Page = {
  ...{
    uid: 'ktc-racks',
    title: 'KTC: between racks',
    question: 'Between which racks and services are segments lost?',
  },
  variables: OF_FLEET,
  panels: [
    matrix('Retransmits per 1,000 segments, sender’s rack down, receiver’s across', 'rack-matrix'),
    rows('Pairs of racks', '04-rack-matrix'),
    lines('The ten worst pairs over time', 'rack-pairs-over-time', {
      ...{ isBars: true, namedBy: 'pair', empty: NO_RETRANSMIT },
    }),
    matrix('Retransmits per 1,000 segments, sender’s service down, receiver’s across', 'service-matrix'),
  ],
};

const PEER: Page = {
  ...{ uid: 'ktc-peer', title: 'KTC: one peer', question: 'What happens between the fleet and one address?' },
  variables: [datasourceVariable(CLICKHOUSE), peerVariable],
  panels: [
    rows('Whose address it is', '23-whose-address', {
      ...{ scope: 'peer', width: 'full', height: 5 },
      empty: 'No host has named this address as its own: it is outside of the fleet, or not watched.',
    }),
    lines('Retransmits to it by kind', 'retransmits-by-kind', {
      ...{ ...BY_KIND, scope: 'peer', empty: NO_RETRANSMIT },
    }),
    lines('Connect latency', 'connect-latency', { scope: 'peer', unit: 'µs', empty: NO_CONNECT }),
    rows('Hosts that talk to it', 'peer-hosts', {
      ...{ scope: 'peer', empty: 'No host of the fleet has talked to it in this time.' },
    }),
    rows('Resets', 'peer-resets', { scope: 'peer', empty: NO_RESET }),
    lines('Round-trip time', 'peer-round-trip', {
      ...{ scope: 'peer', width: 'full', unit: 'µs', empty: NO_CLOSED },
    }),
  ],
};

const HOST: Page = {
  ...{
    uid: 'ktc-host',
    title: 'KTC: one host',
    question: 'Is it this host: its cable, its card, its processes?',
  },
  variables: [datasourceVariable(CLICKHOUSE), hostVariable],
  panels: [
    lines('Share of segments sent again', 'host-share', {
      ...{ scope: 'host', unit: 'percentunit', empty: 'No two host_status events in this time.' },
    }),
    lines('Events', 'host-events', { scope: 'host', isBars: true, namedBy: 'event' }),
    rows('Peers', 'host-peers', { scope: 'host' }),
    rows('Processes', 'host-processes', { scope: 'host' }),
    rows('Network interfaces', 'host-interfaces', {
      ...{ scope: 'host', empty: 'The host has told of no error or drop in this time.' },
    }),
    rows('Counters of the kernel', 'host-counters', { scope: 'host', empty: NO_STATUS }),
  ],
};

const AGENTS: Page = {
  ...{
    uid: 'ktc-agents',
    title: 'KTC: health of the agents',
    question: 'Do the agents run, keep up, and deliver?',
  },
  variables: [
    datasourceVariable(PROMETHEUS),
    ...OF_FLEET,
    prometheusVariable('job', 'label_values(ktc_build_info, job)'),
    prometheusVariable('instance', 'label_values(ktc_build_info{job=~"$job"}, instance)'),
  ],
  panels: [
    metric(
      'Events emitted',
      'How much do the agents send, together?',
      `sum(${rate('ktc_events_emitted_total')})`,
      'all agents',
      { unit: 'eps', empty: NO_METRICS },
    ),
    metric(
      'Events delivered',
      'How much has the destination acknowledged?',
      `sum by (sink) (${rate('ktc_sink_events_delivered_total')})`,
      '{{sink}}',
      { unit: 'eps', empty: NO_METRICS },
    ),
    metric(
      'Lost, dropped, rejected',
      'What is gone, and why?',
      ['ktc_lost_total', 'ktc_sink_events_dropped_total', 'ktc_sink_events_rejected_total']
        .map((name) => `sum by (reason) (${rate(name)}) > 0`)
        .join(' or '),
      '{{reason}}',
      { unit: 'eps', empty: 'No agent that answers has counted a loss in this time.' },
    ),
    metric(
      'Sinks that do not deliver',
      'How many sinks are not ready, and what are they instead?',
      `count by (sink, state) (ktc_sink_state{${SELECTED},state!="ready"} == 1)`,
      '{{sink}} {{state}}',
      { empty: 'The sinks of all agents that answer are ready.' },
    ),
    metric(
      'Delivery latency, 99th percentile',
      'How long is an event on its way to the acknowledgement?',
      `histogram_quantile(0.99, sum by (le, sink) (${rate('ktc_delivery_latency_seconds_bucket')}))`,
      '{{sink}}',
      { unit: 's', empty: 'Nothing was acknowledged in this time.' },
    ),
    metric(
      'Spool in use, the ten fullest',
      'How full is the spool, as a part of what it may hold?',
      `topk(10, max by (instance) (ktc_spool_bytes{${SELECTED}} / ktc_spool_max_bytes{${SELECTED}}))`,
      '{{instance}}',
      { unit: 'percentunit', empty: 'No agent that answers has a spool.' },
    ),
    metric(
      'CPU, the ten that use most',
      'What do the agents cost? 100 % is one CPU.',
      `topk(10, sum by (instance) (${rate('process_cpu_seconds_total')}))`,
      '{{instance}}',
      { unit: 'percentunit', empty: NO_METRICS },
    ),
    metric(
      'Resident memory, the ten that use most',
      'How much memory do the agents use?',
      `topk(10, max by (instance) (process_resident_memory_bytes{${SELECTED}}))`,
      '{{instance}}',
      { unit: 'bytes', empty: NO_METRICS },
    ),
    rows('Versions and configurations', '19-versions', { width: 'full', empty: NO_STATUS }),
    rows('Lines that were no event', '31-rejected-lines', { empty: 'No line was rejected in this time.' }),
    rows('Dictionary of addresses', 'dictionary', {
      empty: 'There is no dictionary “peers”: run query/clickhouse/apply.sh.',
    }),
  ],
};

const PROOF: Page = {
  ...{
    uid: 'ktc-proof',
    title: 'KTC: the proof',
    question: 'Is anything missing, how much, and why?',
    variables: OF_FLEET,
  },
  panels: [
    rows('The account of the fleet', 'proof-total', { width: 'full', height: 5, empty: NO_STATUS }),
    rows('The account of each host', '20-proof', { width: 'full', height: 12, empty: NO_STATUS }),
    rows('What agents have counted as lost', '37-given-up', {
      empty: 'No agent that was heard of has counted a loss in this time.',
    }),
    rows('Kernels and agents', '22-proof-of-the-kernel', { empty: NO_STATUS }),
  ],
};

function build({ uid, title, question, variables, panels }: Page): dashboard.Dashboard {
  const builder = new dashboard.DashboardBuilder(title)
    .uid(uid)
    .description(question)
    .tags(['ktc'])
    .time({ from: 'now-2h', to: 'now' })
    .timezone('browser')
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .link(
      new dashboard.DashboardLinkBuilder('KTC')
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags(['ktc'])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    );
  for (const variable of variables) builder.withVariable(variable);
  for (const panel of panels) builder.withPanel(panel);
  const built = builder.build();
  // Links to a panel, and screenshots of one, name it by its number.
  built.panels?.forEach((panel, index) => {
    panel.id = index + 1;
  });
  return built;
}

export const DASHBOARDS: readonly dashboard.Dashboard[] = [FLEET, RACKS, PEER, HOST, AGENTS, PROOF].map(
  build,
);
