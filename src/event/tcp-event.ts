/** The published event, schema version 1: the TypeScript side of tcp-event.schema.json. */

export const SCHEMA_VERSION = 1;

/** Each tells of one moment of one connection; they can be switched off and limited. */
export const SINGLE_EVENT_KINDS = [
  'tcp_connect',
  'tcp_accept',
  'tcp_connect_latency',
  'tcp_life',
  'tcp_retransmit',
  'tcp_state',
  'tcp_reset',
] as const;
export type SingleEventKind = (typeof SINGLE_EVENT_KINDS)[number];

/** All that is published. */
export const EVENT_KINDS = [...SINGLE_EVENT_KINDS, 'tcp_retransmit_summary'] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export type TcpState =
  | 'ESTABLISHED'
  | 'SYN_SENT'
  | 'SYN_RECV'
  | 'FIN_WAIT1'
  | 'FIN_WAIT2'
  | 'TIME_WAIT'
  | 'CLOSE'
  | 'CLOSE_WAIT'
  | 'LAST_ACK'
  | 'LISTEN'
  | 'CLOSING'
  | 'NEW_SYN_RECV';

/** By the kernel's number (include/net/tcp_states.h), which starts at 1. */
export const TCP_STATES: readonly (TcpState | null)[] = [
  null,
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT1',
  'FIN_WAIT2',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'CLOSING',
  'NEW_SYN_RECV',
];

/** The kernel's numbers of the states that decisions depend on. */
export const STATE = {
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RECV: 3,
  FIN_WAIT1: 4,
  CLOSE: 7,
  LAST_ACK: 9,
  LISTEN: 10,
} as const;

export type Direction = 'active' | 'passive' | 'unknown';
export type PidOrigin = 'owner' | 'on_cpu';
export const RETRANSMIT_KINDS = ['rto', 'fast', 'tlp', 'syn', 'synack', 'unknown'] as const;
export type RetransmitKind = (typeof RETRANSMIT_KINDS)[number];

/** What every single event carries. */
export interface CommonFields {
  schema_version: typeof SCHEMA_VERSION;
  /** `<boot id>-<trace session>-<cpu>-<ordinal>`: the same however often the event is sent. */
  event_id: string;
  event: SingleEventKind;
  /** RFC 3339, UTC, nine digits: when the kernel recorded it. */
  timestamp: string;
  host: string;
  host_id: string;
  boot_id: string;
  kernel: string;
  labels: Record<string, string>;
  pid: number;
  /** Null when the task was gone before its name could be read. */
  comm: string | null;
  pid_origin: PidOrigin;
  cpu: number;
  netns: number | null;
  ip_version: 4 | 6;
  local_address: string;
  /** Null when the kernel had not chosen it yet and nothing came after that told. */
  local_port: number | null;
  /** Null for a socket that listens: it has no peer. */
  remote_address: string | null;
  remote_port: number | null;
  connection_id: string;
  /** Null where the flow is not complete. */
  community_id: string | null;
  direction: Direction;
}

/** The connection's state at that moment, where the source can tell. */
export interface ConnectionMeasures {
  srtt_us: number | null;
  rttvar_us: number | null;
  congestion_window: number | null;
  slow_start_threshold: number | null;
  total_retransmits: number | null;
}

export interface ConnectEvent extends CommonFields {
  event: 'tcp_connect';
}
export interface AcceptEvent extends CommonFields {
  event: 'tcp_accept';
}
export interface ConnectLatencyEvent extends CommonFields {
  event: 'tcp_connect_latency';
  /** SYN sent → established; null when the SYN was not seen. */
  latency_us: number | null;
}
export interface StateEvent extends CommonFields {
  event: 'tcp_state';
  old_state: TcpState | null;
  new_state: TcpState | null;
  /** Time spent in `old_state`; null when its start was not seen. */
  duration_us: number | null;
}
export interface LifeEvent extends CommonFields, ConnectionMeasures {
  event: 'tcp_life';
  duration_us: number | null;
  bytes_sent: number | null;
  bytes_received: number | null;
  segments_sent: number | null;
  segments_received: number | null;
  retransmits: number | null;
}
export interface RetransmitEvent extends CommonFields, ConnectionMeasures {
  event: 'tcp_retransmit';
  state: TcpState | null;
  retransmit_kind: RetransmitKind;
  sequence: number | null;
  length: number | null;
}
export interface ResetEvent extends CommonFields {
  event: 'tcp_reset';
  /** Null when no socket took part, or its state is not known. */
  state: TcpState | null;
  reset_direction: 'sent' | 'received';
}

export type SingleEvent =
  | ConnectEvent
  | AcceptEvent
  | ConnectLatencyEvent
  | LifeEvent
  | RetransmitEvent
  | StateEvent
  | ResetEvent;

/** All retransmits to one peer in one interval. It is of no one process, port or connection: these are null. */
export interface RetransmitSummaryEvent
  extends Omit<
    CommonFields,
    'event' | 'pid' | 'pid_origin' | 'ip_version' | 'local_address' | 'connection_id' | 'direction'
  > {
  event: 'tcp_retransmit_summary';
  pid: null;
  comm: null;
  pid_origin: null;
  /** The addresses and their version are null for all the peers together that were more than are counted apart. */
  ip_version: 4 | 6 | null;
  local_address: string | null;
  local_port: null;
  remote_port: null;
  connection_id: null;
  community_id: null;
  direction: null;
  /** What the counts are of: the time up to `timestamp`. */
  interval_us: number;
  /** The sum of those by kind. */
  retransmits: number;
  retransmits_rto: number;
  retransmits_fast: number;
  retransmits_tlp: number;
  retransmits_syn: number;
  retransmits_synack: number;
  retransmits_unknown: number;
  /** Of `retransmits`: those without a `tcp_retransmit` of their own. */
  retransmits_suppressed: number;
}

export type TcpEvent = SingleEvent | RetransmitSummaryEvent;
