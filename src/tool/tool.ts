/** The six tools: which events each shows, in which columns, and which probes it needs. */
import type { EventDraft } from '../event/draft.ts';
import type { SingleEventKind } from '../event/kinds.ts';
import type { ProbeName } from '../source/probes.ts';
import type { ColumnName } from './column.ts';

export const TOOL_NAMES = [
  'tcpaccept',
  'tcpconnect',
  'tcpconnlat',
  'tcplife',
  'tcpretrans',
  'tcpstates',
] as const;
export type ToolName = (typeof TOOL_NAMES)[number];

export interface Example {
  /** The words after `ktc `. */
  readonly command: string;
  readonly says: string;
}

export interface Tool {
  readonly name: ToolName;
  /** For the list of commands; completes the sentence "Shows …". */
  readonly purpose: string;
  /** Whole sentences, for --help and the man page. */
  readonly description: string;
  readonly event: SingleEventKind;
  /** The columns that are always shown, from left to right. */
  readonly columns: readonly ColumnName[];
  /** The column before which --wide and CSV show IP; null where IP is always shown. */
  readonly ipBefore: ColumnName | null;
  /** The columns by which --count counts, and the title of the number. */
  readonly count?: { readonly columns: readonly ColumnName[]; readonly title: string };
  /** The value that --min-ms compares, µs. */
  readonly measureUs?: (draft: EventDraft) => number;
  /** The probes that it needs, each with an ftrace filter for the records that it needs; empty needs all. */
  readonly probes: Readonly<Partial<Record<ProbeName, string>>>;
  /** The native tracepoints do not have the owner of the connection. */
  readonly ownerOnlyWithModule?: true;
  readonly overhead: string;
  readonly examples: readonly Example[];
}

/**
 * States are numbered as in include/net/tcp_states.h. SYN_SENT entered or left: an outgoing connection begins, and is
 * established or not.
 */
const OPENINGS = 'oldstate == 2 || newstate == 2';
/** SYN_SENT entered: the process that opens it is on the CPU. */
const OPENED = 'newstate == 2';
/** The same, and ESTABLISHED entered: where both sides open it at once, that comes after SYN_RECV. */
const HANDSHAKES = `${OPENINGS} || newstate == 1`;
/** SYN_RECV entered or left, wherever to: with TCP Fast Open it may be closed before it is established. */
const INCOMING = 'oldstate == 3 || newstate == 3';
/**
 * All states but FIN_WAIT2, CLOSE_WAIT and CLOSING, which tell neither the owner of a connection nor how long it
 * lived.
 */
const LIVES = 'newstate != 5 && newstate != 8 && newstate != 11';

const durationUs = ({ durationUs }: EventDraft): number => durationUs;

export const TOOLS: Readonly<Record<ToolName, Tool>> = {
  tcpaccept: {
    name: 'tcpaccept',
    purpose: 'connections that this host accepts',
    description:
      'Shows connections that this host accepts: with tcp_trace.ko each accept(2) and its process; with the native tracepoints each completed handshake, without its process.',
    event: 'tcp_accept',
    columns: ['pid', 'comm', 'raddr', 'rport', 'saddr', 'sport'],
    ipBefore: 'raddr',
    probes: { tcp_set_state: INCOMING, inet_csk_accept: '' },
    ownerOnlyWithModule: true,
    overhead: 'Two records per incoming connection; none for outgoing connections and for the data.',
    examples: [
      { command: 'tcpaccept', says: 'every accepted connection' },
      { command: 'tcpaccept -T -P 80,443', says: 'two local ports, with the time' },
      { command: 'tcpaccept --json | jq .remote_address', says: 'JSON for programs' },
    ],
  },
  tcpconnect: {
    name: 'tcpconnect',
    purpose: 'connections that this host opens',
    description:
      'Shows connections that this host opens, also those that fail. The tool prints a line when the kernel has chosen the local port: within a round trip, or after a second if the peer does not answer.',
    event: 'tcp_connect',
    columns: ['pid', 'comm', 'saddr', 'sport', 'daddr', 'dport'],
    ipBefore: 'saddr',
    count: { columns: ['saddr', 'daddr', 'dport'], title: 'CONNECTS' },
    probes: { tcp_set_state: OPENINGS, tcp_retransmit_skb: '' },
    overhead: 'Two records per outgoing connection; none for incoming connections and for the data.',
    examples: [
      { command: 'tcpconnect', says: 'every connect' },
      { command: 'tcpconnect -t -p 4242', says: 'one process, with seconds since the first event' },
      { command: 'tcpconnect -P 5432 -c', says: 'count the connects to PostgreSQL until Ctrl-C' },
    ],
  },
  tcpconnlat: {
    name: 'tcpconnlat',
    purpose: 'how long connections take to open',
    description:
      'Shows how long the connections that this host opens take from the SYN to established. With MIN_MS, as with --min-ms, it shows only those that take at least MIN_MS milliseconds.',
    event: 'tcp_connect_latency',
    columns: ['pid', 'comm', 'saddr', 'sport', 'daddr', 'dport', 'latencyMs'],
    ipBefore: 'saddr',
    measureUs: ({ latencyUs }) => latencyUs,
    probes: { tcp_set_state: HANDSHAKES },
    overhead: 'Two records per outgoing connection and one per incoming connection; none for the data.',
    examples: [
      { command: 'tcpconnlat', says: 'every connection that this host opens' },
      { command: 'tcpconnlat 50', says: 'only those that take 50 ms or longer' },
      { command: 'tcpconnlat --remote-port 443 --csv > latency.csv', says: 'CSV for a spreadsheet' },
    ],
  },
  tcplife: {
    name: 'tcplife',
    purpose: 'connections that end: owner, lifetime, bytes',
    description:
      'Shows every established connection when it ends: its owner, its lifetime and, with tcp_trace.ko, the bytes it carried.',
    event: 'tcp_life',
    columns: ['pid', 'comm', 'laddr', 'lport', 'raddr', 'rport', 'sent', 'received', 'lifeMs'],
    ipBefore: 'laddr',
    measureUs: durationUs,
    probes: { tcp_set_state: LIVES, inet_csk_accept: '' },
    overhead: 'About four records per end of a connection on this host; none for the data.',
    examples: [
      { command: 'tcplife', says: 'every connection that ends' },
      { command: 'tcplife -w -T', says: 'with complete IPv6 addresses and the time of the end' },
      { command: 'tcplife -D 443 -s > lives.csv', says: 'one remote port, as CSV for a spreadsheet' },
    ],
  },
  tcpretrans: {
    name: 'tcpretrans',
    purpose: 'retransmitted segments',
    description:
      'Shows every retransmitted TCP segment: data, SYN and SYN-ACK, and with -l also tail loss probes. Without segmentation offload, all of these together equal the TcpRetransSegs of nstat.',
    event: 'tcp_retransmit',
    columns: ['time', 'pid', 'ip', 'localEnd', 'transmission', 'remoteEnd', 'state'],
    ipBefore: null,
    count: { columns: ['localEnd', 'remoteEnd'], title: 'RETRANSMITS' },
    probes: {
      tcp_set_state: OPENED,
      tcp_retransmit_skb: '',
      tcp_retransmit_synack: '',
      tcp_send_loss_probe: '',
      inet_csk_accept: '',
    },
    overhead:
      'One record per retransmitted segment. One record per connection that this host opens or, with tcp_trace.ko, accepts: it gives the owner of the connection.',
    examples: [
      { command: 'tcpretrans', says: 'every retransmit' },
      { command: 'tcpretrans -l -s', says: 'also tail loss probes, and sequence numbers (tcp_trace.ko)' },
      { command: 'tcpretrans -c --duration 60', says: 'count them by connection for a minute' },
    ],
  },
  tcpstates: {
    name: 'tcpstates',
    purpose: 'changes of TCP state, and the time in the old state',
    description: 'Shows every change of TCP state, and how long the connection was in the old state.',
    event: 'tcp_state',
    columns: [
      ...(['socket', 'currentPid', 'currentComm', 'laddr', 'lport', 'raddr', 'rport'] as const),
      ...(['oldState', 'arrow', 'newState', 'stateMs'] as const),
    ],
    ipBefore: 'laddr',
    measureUs: durationUs,
    probes: { tcp_set_state: '', inet_csk_accept: '' },
    overhead: 'About five records per end of a connection on this host; none for the data.',
    examples: [
      { command: 'tcpstates', says: 'every change of state' },
      { command: 'tcpstates -T -L 80', says: 'one local port, with the time' },
      { command: 'tcpstates --min-ms 1000', says: 'only states that lasted a second or longer' },
    ],
  },
};
