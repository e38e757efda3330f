/** The tables of peers, hosts, services and resets. */
import type { HostMeasure, HostRow, PeerRow, Place, PlaceLabel, ReportModel, ResetRow } from '../model.ts';
import type { Counted, CountedService, View } from '../view.ts';
import { OWNERSHIP_WORDS, percent, serviceName } from '../words.ts';
import {
  bytesColumn,
  durationColumn,
  resetsColumn,
  retransmitColumns,
  sumColumn,
  UNKNOWN,
} from './columns.ts';
import { type Section, sectionOf } from './section.ts';
import { type Column, createTable } from './table.ts';

type Peer = Counted<PeerRow>;
type Host = Counted<HostRow, HostMeasure>;

/** The labels that tell where and what a host is; the others stand at the end of a row. */
const MAIN_LABELS = ['rack', 'service'] as const;
const OTHER_LABELS = ['role', 'datacenter'] as const;

/** Only labels that some row has. */
function labelColumns<Row extends { readonly row: Place }>(
  rows: readonly Row['row'][],
  labels: readonly PlaceLabel[],
): Column<Row>[] {
  const titles = { rack: 'Rack', datacenter: 'Data centre', role: 'Role', service: 'Service' } as const;
  return labels
    .filter((label) => rows.some((row) => row[label] !== null))
    .map((label) => ({ title: titles[label], value: ({ row }) => row[label] }));
}

export function createTables(model: ReportModel) {
  return {
    peers: peersSection(model),
    hosts: hostsSection(model),
    services: servicesSection(),
    resets: resetsSection(),
  };
}

function peersSection({ peers, input }: ReportModel): Section {
  const isNamed = input.host_statuses > 0;
  const places = labelColumns<Peer>(peers.rows, MAIN_LABELS);
  const table = createTable<Peer>({
    caption: 'Peers',
    columns: [
      { title: 'Peer', value: ({ row }) => row.host ?? (row.address || null), text: nameOfPeer },
      ...retransmitColumns<Peer>(),
      ...places,
      ...(isNamed ? [{ title: 'Address', value: ({ row }: Peer) => row.address || null }] : []),
      sumColumn('Closed', 'closed', 'Connections closed'),
      bytesColumn(),
      resetsColumn(),
      ...labelColumns<Peer>(peers.rows, OTHER_LABELS),
    ],
    sortBy: 1,
    empty: 'No peer in this part of the time.',
  });
  const note = isNamed
    ? 'Addresses that watched hosts talked to. Names and labels come from the host_status events of the hosts that have the addresses; an address that several hosts had at the same time is ambiguous.'
    : 'Addresses that watched hosts talked to. They have no names, because the input has no host_status events.';
  return {
    id: 'peers',
    title: 'Peers',
    element: sectionOf('peers', 'Peers', note, table.element),
    update: ({ peers: rows }) => table.update(rows),
  };
}

function nameOfPeer({ row: { host, address, ownership } }: Peer): string {
  if (host !== null) return host;
  if (ownership === 'rest') return OWNERSHIP_WORDS.rest;
  return ownership === 'ambiguous' ? OWNERSHIP_WORDS.ambiguous : address;
}

/** What the kernel counted, which host_status events tell. */
function kernelColumns(): Column<Host>[] {
  const rateOf = ({ sums: { kernel_segments, kernel_retransmits } }: Host) =>
    kernel_segments === 0 ? null : kernel_retransmits / kernel_segments;
  const sum = (title: string, measure: HostMeasure, help: string): Column<Host> => ({
    title,
    help,
    value: ({ sums }) => sums[measure],
  });
  return [
    sum('Listen drops', 'listen_drops', 'Connections that a full listen queue dropped'),
    sum('Interface errors', 'interface_errors', 'Received and sent, of all interfaces'),
    sum(
      'Kernel counted',
      'kernel_retransmits',
      'RetransSegs between host_status events: beside it, what was recorded',
    ),
    {
      title: 'Of all sent',
      help: 'By the kernel’s own counters: RetransSegs per OutSegs',
      isNumber: true,
      value: rateOf,
      text: (host) => {
        const rate = rateOf(host);
        return rate === null ? UNKNOWN : percent(rate);
      },
    },
  ];
}

function hostsSection({ hosts, input }: ReportModel): Section {
  const table = createTable<Host>({
    caption: 'Hosts',
    columns: [
      { title: 'Host', value: ({ row }) => row.host },
      ...retransmitColumns<Host>(),
      ...labelColumns<Host>(hosts.rows, MAIN_LABELS),
      sumColumn('Closed', 'closed', 'Connections closed'),
      resetsColumn(),
      ...(input.host_statuses > 0 ? kernelColumns() : []),
      ...labelColumns<Host>(hosts.rows, OTHER_LABELS),
    ],
    sortBy: 1,
    empty: 'No host in this part of the time.',
  });
  return {
    id: 'hosts',
    title: 'Hosts',
    element: sectionOf(
      'hosts',
      'Hosts',
      'Watched hosts: what they sent again themselves. Loss on the way to many peers, from one host, is that host’s own link.',
      table.element,
    ),
    update: ({ hosts: rows }) => table.update(rows),
  };
}

function servicesSection(): Section {
  const table = createTable<CountedService>({
    caption: 'Services',
    columns: [
      { title: 'Service', value: ({ row }) => serviceName(row) },
      { title: 'Program', help: 'Seen on watched hosts that accept', value: ({ row }) => row.comm },
      sumColumn('Closed', 'closed', 'Connections closed, at each watched end'),
      bytesColumn(),
      ...retransmitColumns<CountedService>(),
      durationColumn(
        'Connect p50',
        'Half of the connections were established within it',
        ({ spreads }) => spreads.connect.p50_us,
      ),
      durationColumn(
        'p95',
        '95 of 100 connections were established within it',
        ({ spreads }) => spreads.connect.p95_us,
      ),
      durationColumn(
        'p99',
        '99 of 100 connections were established within it',
        ({ spreads }) => spreads.connect.p99_us,
      ),
      durationColumn(
        'RTT',
        'The median of the smoothed round-trip times at the close',
        ({ spreads }) => spreads.rtt.p50_us,
      ),
      durationColumn(
        'Lifetime',
        'The median from established to closed',
        ({ spreads }) => spreads.lifetime.p50_us,
      ),
      resetsColumn(),
    ],
    sortBy: 2,
    empty: 'No service in this part of the time.',
  });
  const note =
    'The side that accepts: the label “service” of its host, where it is known, and its port. Percentiles are within 9 %.';
  return {
    id: 'services',
    title: 'Services',
    element: sectionOf('services', 'Services', note, table.element),
    update: ({ services }) => table.update(services),
  };
}

function resetsSection(): Section {
  let total = 0;
  const table = createTable<{ readonly row: ResetRow; readonly count: number }>({
    caption: 'Resets',
    columns: [
      {
        title: 'Reset',
        value: ({ row }) =>
          row.direction === 'sent' ? 'sent by the watched host' : 'received from the peer',
      },
      { title: 'State', help: 'Of the connection at that moment', value: ({ row }) => row.state },
      { title: 'Resets', value: ({ count }) => count, isBar: true },
      { title: 'Share', value: ({ count }) => count / total, text: ({ count }) => percent(count / total) },
    ],
    sortBy: 2,
    empty: 'No reset in this part of the time.',
  });
  const note =
    'By who reset, and at what stage: in SYN_SENT nobody listens; without a state no socket took part; after ESTABLISHED a program or a middlebox gave up.';
  return {
    id: 'resets',
    title: 'Resets',
    element: sectionOf('resets', 'Resets', note, table.element),
    update({ resets }: View) {
      total = resets.reduce((sum, { count }) => sum + count, 0);
      table.update(resets);
    },
  };
}
