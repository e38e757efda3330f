/**
 * The kernel probes that can be chosen. One row of PROBE_TABLE makes a probe exist for the configuration and its
 * reference, both kinds of live source, recordings, the status page, metrics and docs/source.md.
 */

interface ProbeRow {
  /** Completes the sentence "Trace ….", which explains `source.probes.<name>.enabled` in docs/configuration.md. */
  readonly traces: string;
  /** The events that come from it, as Markdown for docs/source.md. */
  readonly events: string;
  /** The kernel's own tracepoint, `<system>/<event>` (include/trace/events/{sock,tcp}.h); null if Linux has none. */
  readonly tracepoint: string | null;
  /** Joined to each filter on that tracepoint, in the kernel's filter language. */
  readonly tracepointFilter?: string;
  /** Each of its records has both ports, in `sport` and `dport`, so a filter by port hides no record of a connection. */
  readonly hasBothPorts: boolean;
}

const TABLE = {
  tcp_set_state: {
    traces: 'changes of TCP state; connect, accept, latency, life and state events come from them',
    events:
      '`tcp_state`, `tcp_connect`, `tcp_connect_latency`, `tcp_life`; without the module also `tcp_accept`',
    tracepoint: 'sock/inet_sock_set_state',
    // IPPROTO_TCP: the same tracepoint also reports SCTP, DCCP and MPTCP.
    tracepointFilter: 'protocol == 6',
    // The local port is 0 when a connection is opened, and the remote port is 0 when a child socket is made.
    hasBothPorts: false,
  },
  tcp_retransmit_skb: {
    traces: 'retransmitted segments',
    events: '`tcp_retransmit`',
    tracepoint: 'tcp/tcp_retransmit_skb',
    hasBothPorts: true,
  },
  tcp_send_loss_probe: {
    traces: 'tail loss probes; only the module has this probe',
    events: '`tcp_retransmit` of tail loss probes',
    tracepoint: null,
    hasBothPorts: true,
  },
  tcp_retransmit_synack: {
    traces: 'retransmitted SYN-ACKs',
    events: '`tcp_retransmit` of SYN-ACKs',
    tracepoint: 'tcp/tcp_retransmit_synack',
    hasBothPorts: true,
  },
  inet_csk_accept: {
    traces: 'accept(2), which shows the process that takes a connection; only the module has this probe',
    events: '`tcp_accept`',
    tracepoint: null,
    hasBothPorts: true,
  },
  tcp_send_reset: {
    traces: 'resets that this host sends',
    events: '`tcp_reset`, sent',
    tracepoint: 'tcp/tcp_send_reset',
    // Linux 6.10 and newer have socket addresses in place of the ports, which no filter can compare.
    hasBothPorts: false,
  },
  tcp_receive_reset: {
    traces: 'resets that this host receives',
    events: '`tcp_reset`, received',
    tracepoint: 'tcp/tcp_receive_reset',
    hasBothPorts: true,
  },
} as const satisfies Readonly<Record<string, ProbeRow>>;

export type ProbeName = keyof typeof TABLE;
export const PROBE_TABLE: Readonly<Record<ProbeName, ProbeRow>> = TABLE;
/** In the order in which they are enabled and shown. */
export const PROBES = Object.keys(TABLE) as readonly ProbeName[];

/** One value per probe. */
export function mapProbes<T>(choose: (name: ProbeName) => T): Readonly<Record<ProbeName, T>> {
  return Object.fromEntries(PROBES.map((name) => [name, choose(name)])) as Record<ProbeName, T>;
}

/** The kernel events that a kind of live source takes its records from. */
export interface Catalog {
  readonly kind: 'module' | 'tracepoints';
  /** `<system>/<event>` below the instance's events/; null if this kind of source has none. */
  readonly events: Readonly<Record<ProbeName, string | null>>;
  /** In the kernel's filter language, joined to the operator's filter; empty if there is none. */
  readonly filters: Readonly<Record<ProbeName, string>>;
}

/** Native tracepoints. Linux 4.16 and newer have all of them. */
export const TRACEPOINTS: Catalog = {
  kind: 'tracepoints',
  events: mapProbes((name) => PROBE_TABLE[name].tracepoint),
  filters: mapProbes((name) => PROBE_TABLE[name].tracepointFilter ?? ''),
};

/** tcp_trace.ko gives its events the names of the probes (kmodule/tcp_trace_events.h). */
export const MODULE: Catalog = {
  kind: 'module',
  events: mapProbes((name) => `ktc/${name}`),
  filters: mapProbes(() => ''),
};

export interface ProbeChoice {
  readonly enabled: boolean;
  /** In the kernel's filter language; empty records everything. */
  readonly filter: string;
}

export const PROBE_OFF: ProbeChoice = { enabled: false, filter: '' };

export interface ProbeStatus {
  readonly name: ProbeName;
  /** Null if this kind of source has no such event. */
  readonly event: string | null;
  readonly enabled: boolean;
  /** In the kernel's filter language; empty if there is none. */
  readonly filter: string;
  /** Who decides it: the source, where a filter of the kernel would be that of all tracers on the host. */
  readonly filteredBy: 'kernel' | 'source';
  /** Why a chosen probe is not enabled, in one line. */
  readonly problem: string | null;
}
