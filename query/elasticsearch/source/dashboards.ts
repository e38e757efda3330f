/** The dashboards: which questions they answer, and by what. */
import type { Dashboard, Expression, Metric, Panel, Search, Values } from './panel.ts';

const RETRANSMITS: Metric = { label: 'Retransmits', value: { of: 'sum', field: 'ktc.retransmit_count' } };
const EVENTS: Metric = { label: 'Events', value: { of: 'count' } };
const HOSTS: Metric = { label: 'Hosts', value: { of: 'unique', field: 'host.name' } };

/** More than one reads: over several daily indices the last of a list are estimates. */
const byHost = (size = 100): Values => ({ field: 'host.name', label: 'Host', size });
const byPeer = (size = 100): Values => ({ field: 'ktc.remote_address', label: 'Peer', size });
const KIND: Values = { field: 'ktc.retransmit_kind', label: 'Kind', size: 6 };
const SERVICE: Values = { field: 'service.name', label: 'Service', size: 12 };
const PROCESS: Values = { field: 'process.name', label: 'Process', size: 20 };

/** How much a counter of host_status has grown. Over a reboot it is wrong: a counter starts at 0 again. */
const growthOf = (field: string): Expression => ({
  of: 'subtract',
  left: { of: 'max', field },
  right: { of: 'min', field },
});
const counter = (name: string): string => `ktc.counters.${name}`;

const percentiles = (field: string): Metric[] =>
  [50, 95, 99].map((percentile) => ({
    label: `p${percentile}`,
    value: { of: 'percentile', percentile, field },
  }));

const ofKind = (kind: string): string => `event.action:${kind}`;
const ANY_RETRANSMIT = 'ktc.retransmit_count:>0';
/** The most that Kibana takes of one field. */
const ALL = 1000;
const half = { width: 24, height: 13 } as const;
const third = { width: 16, height: 13 } as const;
const full = { width: 48, height: 13 } as const;
const number = { width: 12, height: 6, chart: 'metric', by: [] } as const;

/** The same in both dashboards: over the fleet, or of the peer that is chosen. */
const RETRANSMITS_OVER_TIME = {
  ...{ id: 'retransmits-over-time', title: 'Retransmits over time, by kind', ...half, chart: 'bars' },
  question: 'Since when, and what kind: timeout, fast, probe, handshake?',
  ...{ filter: ofKind('tcp_retransmit'), by: [KIND], metrics: [EVENTS] },
} as const satisfies Panel;

const CONNECT_LATENCY = {
  ...{ id: 'connect-latency', title: 'Connect latency over time', ...half, chart: 'line' },
  question: 'How long does a connection take to be established? Steps of a second are lost SYNs.',
  ...{ filter: ofKind('tcp_connect_latency'), by: [], metrics: percentiles('ktc.latency_us') },
} as const satisfies Panel;

const FLEET_PANELS: readonly Panel[] = [
  {
    ...{ id: 'retransmits', title: 'Retransmits', ...number, filter: ANY_RETRANSMIT, metrics: [RETRANSMITS] },
    question: 'How many segments were sent again?',
  },
  {
    ...{ id: 'hosts', title: 'Hosts heard of', ...number, filter: ofKind('host_status'), metrics: [HOSTS] },
    question: 'How many hosts have sent a host_status?',
  },
  {
    ...{ id: 'resets', title: 'Resets', ...number, filter: ofKind('tcp_reset'), metrics: [EVENTS] },
    question: 'How many connections were reset?',
  },
  {
    ...{
      id: 'connections',
      title: 'Connections closed',
      ...number,
      filter: ofKind('tcp_life'),
      metrics: [EVENTS],
    },
    question: 'How many connections ended?',
  },
  RETRANSMITS_OVER_TIME,
  CONNECT_LATENCY,
  {
    ...{ id: 'worst-peers', title: 'Worst peers', ...third, chart: 'table' },
    question: 'Which peers cause the retransmits, and how many hosts see it?',
    ...{ filter: ANY_RETRANSMIT, by: [byPeer()], metrics: [RETRANSMITS, HOSTS] },
  },
  {
    ...{ id: 'worst-hosts', title: 'Worst hosts', ...third, chart: 'table' },
    question: 'Which hosts send again most?',
    ...{ filter: ANY_RETRANSMIT, by: [byHost()], metrics: [RETRANSMITS] },
  },
  {
    ...{ id: 'racks-by-kind', title: 'Racks of the sending hosts, by kind', ...third, chart: 'matrix' },
    question: 'Which rack do the bad hosts share?',
    filter: ofKind('tcp_retransmit'),
    ...{ by: [{ field: 'labels.rack', label: 'Rack', size: 50 }, KIND], metrics: [EVENTS] },
  },
  {
    ...{
      id: 'retransmit-ratio',
      title: 'Retransmit ratio of hosts, by the kernel',
      ...third,
      chart: 'table',
    },
    question: 'Which part of the segments that a host sent were retransmits? From its own counters.',
    ...{ filter: ofKind('host_status'), by: [byHost(ALL)], sort: { metric: 1, direction: 'desc' } },
    metrics: [
      { label: 'Retransmitted', value: growthOf(counter('Tcp.RetransSegs')) },
      {
        ...{ label: 'Ratio', format: 'percent' },
        value: {
          of: 'divide',
          left: growthOf(counter('Tcp.RetransSegs')),
          right: growthOf(counter('Tcp.OutSegs')),
        },
      },
    ],
  },
  {
    ...{
      id: 'latency-by-service',
      title: 'Connect latency by service of the client',
      ...third,
      chart: 'table',
    },
    question: 'Whose connections take long to be established?',
    ...{ filter: ofKind('tcp_connect_latency'), by: [SERVICE], metrics: percentiles('ktc.latency_us') },
  },
  {
    ...{ id: 'latency-by-port', title: 'Connect latency by port', ...third, chart: 'table' },
    question: 'Which service accepts slowly?',
    filter: ofKind('tcp_connect_latency'),
    ...{
      by: [{ field: 'destination.port', label: 'Port', size: 20 }],
      metrics: percentiles('ktc.latency_us'),
    },
  },
  {
    ...{ id: 'unanswered', title: 'Peers that do not answer', ...third, chart: 'table' },
    question: 'To which peers are SYNs sent again? They are unreachable, or something filters.',
    ...{ filter: `${ofKind('tcp_retransmit')} AND ktc.retransmit_kind:syn`, by: [byPeer()] },
    metrics: [{ label: 'SYNs sent again', value: { of: 'count' } }, HOSTS],
  },
  {
    ...{ id: 'resets-by-peer', title: 'Resets by peer and side', ...third, chart: 'matrix' },
    question: 'With whom are connections reset, and which side does it?',
    filter: ofKind('tcp_reset'),
    ...{ by: [byPeer(), { field: 'ktc.reset_direction', label: 'Side', size: 2 }], metrics: [EVENTS] },
  },
  {
    ...{ id: 'close-wait', title: 'CLOSE_WAIT entered and left', ...third, chart: 'table' },
    question: 'Which processes do not close what their peers have closed? More entered than left is a leak.',
    ...{ filter: 'ktc.new_state:CLOSE_WAIT OR ktc.old_state:CLOSE_WAIT', by: [SERVICE] },
    metrics: [
      { label: 'Entered', value: { of: 'count', filter: 'ktc.new_state:CLOSE_WAIT' } },
      { label: 'Left', value: { of: 'count', filter: 'ktc.old_state:CLOSE_WAIT' } },
    ],
  },
  {
    ...{ id: 'listen-overflows', title: 'Full listen queues', ...third, chart: 'table' },
    question:
      'Which hosts refused connections because nobody accepted them in time? From the kernel’s counters.',
    ...{ filter: ofKind('host_status'), by: [byHost(ALL)], sort: { metric: 0, direction: 'desc' } },
    metrics: [{ label: 'Refused', value: growthOf(counter('TcpExt.ListenOverflows')) }],
  },
  {
    ...{ id: 'cables', title: 'Errors of network interfaces', ...third, chart: 'table' },
    question: 'Which host has a bad cable or card?',
    ...{ filter: ofKind('host_status'), by: [byHost(ALL)], sort: { metric: 0, direction: 'desc' } },
    metrics: [
      { label: 'Errors', value: growthOf('ktc.interface_errors') },
      { label: 'Drops', value: growthOf('ktc.interface_drops') },
    ],
  },
  {
    ...{ id: 'silent-hosts', title: 'Silent hosts', ...third, chart: 'table' },
    question: 'Who has not been heard of for the longest time?',
    ...{ filter: ofKind('host_status'), by: [byHost(ALL)], sort: { metric: 0, direction: 'asc' } },
    metrics: [{ label: 'Last heard of', value: { of: 'max', field: '@timestamp' }, format: 'time' }],
  },
  {
    ...{ id: 'lost', title: 'Records that agents have lost', ...third, chart: 'table' },
    question: 'Which agents say themselves that they lost something, since they started?',
    ...{ filter: `${ofKind('host_status')} AND ktc.lost:>0`, by: [byHost()] },
    metrics: [{ label: 'Lost', value: { of: 'max', field: 'ktc.lost' } }],
  },
  {
    ...{ id: 'versions', title: 'Versions and configurations', ...third, chart: 'table' },
    question: 'Which agents run in the fleet?',
    filter: ofKind('host_status'),
    by: [
      { field: 'agent.version', label: 'Version', size: 20 },
      { field: 'ktc.config_hash', label: 'Configuration', size: 50 },
    ],
    metrics: [HOSTS],
  },
];

const PEER_PANELS: readonly Panel[] = [
  { ...RETRANSMITS_OVER_TIME, id: 'peer-retransmits-over-time' },
  { ...CONNECT_LATENCY, id: 'peer-connect-latency' },
  {
    ...{ id: 'peer-hosts', title: 'Hosts that talk to it', ...third, chart: 'table' },
    question: 'Who talks to this peer, and who of them has to send again?',
    ...{ filter: '*', by: [byHost(50)] },
    metrics: [EVENTS, RETRANSMITS],
  },
  {
    ...{ id: 'peer-processes', title: 'Processes that talk to it', ...third, chart: 'table' },
    question: 'Which processes opened or closed connections with this peer?',
    ...{ filter: 'ktc.pid_origin:owner', by: [PROCESS], metrics: [EVENTS, HOSTS] },
  },
  {
    ...{ id: 'peer-resets', title: 'Resets by side', ...third, chart: 'table' },
    question: 'Who resets the connections with this peer?',
    filter: ofKind('tcp_reset'),
    ...{ by: [{ field: 'ktc.reset_direction', label: 'Side', size: 2 }], metrics: [EVENTS, HOSTS] },
  },
  {
    ...{ id: 'peer-round-trip', title: 'Round-trip time of its connections', ...full, chart: 'line' },
    question: 'How far away is it? Smoothed round-trip time at the end of a connection.',
    ...{ filter: ofKind('tcp_life'), by: [], metrics: percentiles('ktc.srtt_us') },
  },
];

const COMMON_COLUMNS = [
  'host.name',
  'event.action',
  'process.name',
  'ktc.local_address',
  'ktc.remote_address',
];

export const SEARCHES = {
  retransmits: {
    ...{
      id: 'search-retransmits',
      title: 'KTC: retransmits',
      dataView: 'ktc-events',
      filter: ofKind('tcp_retransmit'),
    },
    question: 'Every retransmit with its connection.',
    columns: [...COMMON_COLUMNS, 'ktc.remote_port', 'ktc.retransmit_kind', 'ktc.state', 'ktc.connection_id'],
  },
  connections: {
    ...{ id: 'search-connections', title: 'KTC: events of connections', dataView: 'ktc-events' },
    ...{
      question: 'Every event of a connection, to follow one by ktc.connection_id.',
      filter: '_exists_:ktc.connection_id',
    },
    columns: [...COMMON_COLUMNS, 'ktc.remote_port', 'ktc.old_state', 'ktc.new_state', 'ktc.connection_id'],
  },
  rejected: {
    ...{ id: 'search-rejected', title: 'KTC: rejected', dataView: 'ktc-rejected', filter: '*' },
    question: 'What was no event, or came from a host with a wrong clock, and why.',
    columns: ['error.message', 'message', 'event_id'],
  },
} as const satisfies Readonly<Record<string, Search>>;

export const DASHBOARDS: readonly Dashboard[] = [
  {
    ...{
      id: 'fleet',
      title: 'KTC: the fleet',
      question: 'Where does TCP suffer in the fleet, and what do we not know?',
    },
    controls: [
      ...['datacenter', 'rack'].map((label) => ({ field: `labels.${label}`, label })),
      { field: SERVICE.field, label: 'service' },
    ],
    ...{ panels: FLEET_PANELS, search: SEARCHES.retransmits },
  },
  {
    ...{ id: 'peer', title: 'KTC: one peer', question: 'What happens between the fleet and one address?' },
    controls: [{ field: 'ktc.remote_address', label: 'peer' }],
    ...{ panels: PEER_PANELS, search: SEARCHES.connections },
  },
];
