/** The probes one can choose, and the kernel event that carries each on a given source. */

export const PROBES = [
  'tcp_set_state',
  'tcp_retransmit_skb',
  'tcp_send_loss_probe',
  'tcp_retransmit_synack',
  'inet_csk_accept',
  'tcp_send_reset',
  'tcp_receive_reset',
] as const;
export type ProbeName = (typeof PROBES)[number];

/** The kernel events that a source takes its records from. */
export interface Catalog {
  readonly kind: 'module' | 'tracepoints';
  /** `<system>/<event>` below the instance's events/; null where this kind of source has none. */
  readonly events: Readonly<Record<ProbeName, string | null>>;
  /** In the kernel's filter language, joined to what the operator asks for. */
  readonly filters: Readonly<Partial<Record<ProbeName, string>>>;
}

/** Native tracepoints: 4.16 and newer have them all (include/trace/events/{sock,tcp}.h). */
export const TRACEPOINTS: Catalog = {
  kind: 'tracepoints',
  events: {
    tcp_set_state: 'sock/inet_sock_set_state',
    tcp_retransmit_skb: 'tcp/tcp_retransmit_skb',
    tcp_send_loss_probe: null,
    tcp_retransmit_synack: 'tcp/tcp_retransmit_synack',
    inet_csk_accept: null,
    tcp_send_reset: 'tcp/tcp_send_reset',
    tcp_receive_reset: 'tcp/tcp_receive_reset',
  },
  // IPPROTO_TCP: the same tracepoint also tells of SCTP, DCCP and MPTCP.
  filters: { tcp_set_state: 'protocol == 6' },
};

/** tcp_trace.ko (kmodule/tcp_trace_events.h) names its events as the probes. */
export const MODULE: Catalog = {
  kind: 'module',
  events: {
    tcp_set_state: 'ktc/tcp_set_state',
    tcp_retransmit_skb: 'ktc/tcp_retransmit_skb',
    tcp_send_loss_probe: 'ktc/tcp_send_loss_probe',
    tcp_retransmit_synack: 'ktc/tcp_retransmit_synack',
    inet_csk_accept: 'ktc/inet_csk_accept',
    tcp_send_reset: 'ktc/tcp_send_reset',
    tcp_receive_reset: 'ktc/tcp_receive_reset',
  },
  filters: {},
};

export interface ProbeChoice {
  readonly enabled: boolean;
  /** In the kernel's filter language; empty takes every record. */
  readonly filter: string;
}

export interface ProbeStatus {
  readonly name: ProbeName;
  /** Null where this kind of source has no such event. */
  readonly event: string | null;
  readonly enabled: boolean;
  /** As written to the kernel; empty when there is none. */
  readonly filter: string;
  /** Why a chosen probe is not on, in one line. */
  readonly problem: string | null;
}
