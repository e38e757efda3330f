/** The kinds of events, and the values of their enumerations: states, directions, kinds of retransmits. */

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

/** Those that tell of TCP. */
export const TCP_EVENT_KINDS = [...SINGLE_EVENT_KINDS, 'tcp_retransmit_summary'] as const;
export type TcpEventKind = (typeof TCP_EVENT_KINDS)[number];

/** All that is published. `host_status` tells of the host and the agent. */
export const EVENT_KINDS = [...TCP_EVENT_KINDS, 'host_status'] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** By the kernel's number (include/net/tcp_states.h), which starts at 1. */
export const TCP_STATES = [
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
] as const;
export type TcpState = NonNullable<(typeof TCP_STATES)[number]>;

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

/** Who opened a connection: this host, the peer, or unknown because nobody saw it. */
export const DIRECTIONS = ['active', 'passive', 'unknown'] as const;
export type Direction = (typeof DIRECTIONS)[number];

export const PID_ORIGINS = ['owner', 'on_cpu'] as const;
export type PidOrigin = (typeof PID_ORIGINS)[number];

export const IP_VERSIONS = [4, 6] as const;

export const RETRANSMIT_KINDS = ['rto', 'fast', 'tlp', 'syn', 'synack', 'unknown'] as const;
export type RetransmitKind = (typeof RETRANSMIT_KINDS)[number];

export const RESET_DIRECTIONS = ['sent', 'received'] as const;

/** Where the records of an agent come from. */
export const SOURCE_KINDS = ['module', 'tracepoints', 'replay'] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];
