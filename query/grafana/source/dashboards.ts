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

const FLEET: Page = {
  ...{
    uid: 'ktc-fleet',
    title: 'KTC: the fleet',
    question: 'Where does TCP suffer in the fleet?',
    variables: OF_FLEET,
  },
  panels: [
    number('Retransmits', 'retransmits'),
    number('Share of segments sent again', 'retransmit-share', { unit: 'percentunit', red: 0.01 }),
    number('Hosts heard of', 'hosts'),
    number('Events missing without explanation', 'unexplained', { red: 1 }),
    lines('Retransmits by kind', 'retransmits-by-kind', { isBars: true }),
    lines('Connect latency', 'connect-latency', { unit: 'µs' }),
    rows('Worst peers', '01-worst-peers'),
    rows('Worst hosts', '06-host-retransmit-ratio'),
    rows('Connect latency by service', '07-connect-latency'),
    rows('Peers that do not answer', '08-unanswered-syns'),
    rows('Resets', '10-reset-storms'),
    rows('Full listen queues', '09-listen-overflows'),
    rows('Connections that are not closed', '12-close-wait-leaks'),
    rows('Silent hosts', '18-silent-hosts'),
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
    lines('The ten worst pairs over time', 'rack-pairs-over-time', { isBars: true }),
    matrix('Retransmits per 1,000 segments, sender’s service down, receiver’s across', 'service-matrix'),
  ],
};

const PEER: Page = {
  ...{ uid: 'ktc-peer', title: 'KTC: one peer', question: 'What happens between the fleet and one address?' },
  variables: [datasourceVariable(CLICKHOUSE), peerVariable],
  panels: [
    rows('Whose address it is', '23-whose-address', { scope: 'peer', width: 'full', height: 5 }),
    lines('Retransmits to it by kind', 'retransmits-by-kind', { scope: 'peer', isBars: true }),
    lines('Connect latency', 'connect-latency', { scope: 'peer', unit: 'µs' }),
    rows('Hosts that talk to it', 'peer-hosts', { scope: 'peer' }),
    rows('Resets', 'peer-resets', { scope: 'peer' }),
    lines('Round-trip time', 'peer-round-trip', { scope: 'peer', width: 'full', unit: 'µs' }),
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
    lines('Share of segments sent again', 'host-share', { scope: 'host', unit: 'percentunit' }),
    lines('Events', 'host-events', { scope: 'host', isBars: true }),
    rows('Peers', 'host-peers', { scope: 'host' }),
    rows('Processes', 'host-processes', { scope: 'host' }),
    rows('Network interfaces', 'host-interfaces', { scope: 'host' }),
    rows('Counters of the kernel', 'host-counters', { scope: 'host' }),
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
      'How much do the agents send?',
      `sum by (instance) (${rate('ktc_events_emitted_total')})`,
      '{{instance}}',
      { unit: 'eps' },
    ),
    metric(
      'Events delivered',
      'How much has the destination acknowledged?',
      `sum by (sink) (${rate('ktc_sink_events_delivered_total')})`,
      '{{sink}}',
      { unit: 'eps' },
    ),
    metric(
      'Lost, dropped, rejected',
      'What is gone, and why?',
      ['ktc_lost_total', 'ktc_sink_events_dropped_total', 'ktc_sink_events_rejected_total']
        .map((name) => `sum by (reason) (${rate(name)}) > 0`)
        .join(' or '),
      '{{reason}}',
      { unit: 'eps' },
    ),
    metric(
      'Sinks that do not deliver',
      'Which sinks are not ready?',
      `max by (instance, sink, state) (ktc_sink_state{${SELECTED},state!="ready"}) > 0`,
      '{{instance}} {{sink}} {{state}}',
    ),
    metric(
      'Delivery latency, 99th percentile',
      'How long is an event on its way to the acknowledgement?',
      `histogram_quantile(0.99, sum by (le, sink) (${rate('ktc_delivery_latency_seconds_bucket')}))`,
      '{{sink}}',
      { unit: 's' },
    ),
    metric(
      'Spool in use',
      'How full is the spool?',
      `max by (instance) (ktc_spool_bytes{${SELECTED}} / ktc_spool_max_bytes{${SELECTED}})`,
      '{{instance}}',
      { unit: 'percentunit' },
    ),
    metric(
      'CPU',
      'What do the agents cost?',
      `sum by (instance) (${rate('process_cpu_seconds_total')})`,
      '{{instance}}',
      { unit: 'percentunit' },
    ),
    metric(
      'Resident memory',
      'How much memory do the agents use?',
      `max by (instance) (process_resident_memory_bytes{${SELECTED}})`,
      '{{instance}}',
      { unit: 'decbytes' },
    ),
    rows('Versions and configurations', '19-versions', { width: 'full' }),
    rows('Lines that were no event', '31-rejected-lines'),
    rows('Dictionary of addresses', 'dictionary'),
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
    rows('The account of the fleet', 'proof-total', { width: 'full', height: 5 }),
    rows('The account of each host', '20-proof', { width: 'full', height: 12 }),
    rows('What agents have counted as lost', '37-given-up'),
    rows('Kernels and agents', '22-proof-of-the-kernel'),
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
