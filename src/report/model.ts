/**
 * The model of a report: what the terminal, the JSON and the page all show. It holds counts by row and slice of time, so
 * that every table can be made for any part of the time (view.ts). It is the data of the page, and describes itself.
 */
import { RETRANSMIT_KINDS } from '../event/kinds.ts';

/** What is counted for peers, pairs and services. Kinds of retransmits count segments. */
export const MEASURES = [
  ...RETRANSMIT_KINDS,
  /** Connections established, as each watched end sees them. */
  'opened',
  /** Connections closed, with the bytes both ways, the segments sent and those of them sent again. */
  'closed',
  'bytes',
  'segments',
  'segments_again',
  'resets_sent',
  'resets_received',
] as const;
export type Measure = (typeof MEASURES)[number];

/** What is counted for hosts: also the growth of the kernel's own counters between two host_status events. */
export const HOST_MEASURES = [
  ...MEASURES,
  'kernel_segments',
  'kernel_retransmits',
  'listen_drops',
  'interface_errors',
] as const;
export type HostMeasure = (typeof HOST_MEASURES)[number];

/** Counts that are not 0, by row and slice. Rows are given as differences to the row before. */
export interface Packed {
  readonly rows: readonly number[];
  /** Slices counted from `period.start_s`. */
  readonly slices: readonly number[];
  readonly values: readonly number[];
}

export interface Grid<M extends string> {
  /** Seconds in a slice; divides `period.snap_s`. */
  readonly step_s: number;
  readonly series: Readonly<Record<M, Packed>>;
}

/** A table over time: what each row is, and its counts. */
export interface Table<Row, M extends string = Measure> {
  readonly rows: readonly Row[];
  readonly grid: Grid<M>;
}

/** Labels of hosts that say where and what they are (docs/events.md); a host need not have them. */
export const PLACE_LABELS = ['rack', 'datacenter', 'role', 'service'] as const;
export type PlaceLabel = (typeof PLACE_LABELS)[number];
export type Place = Readonly<Record<PlaceLabel, string | null>>;
export const NO_PLACE: Place = { rack: null, datacenter: null, role: null, service: null };

/**
 * `known`: a host_status of exactly one host named the address at that time. `ambiguous`: several did. `unknown`: none.
 * `rest`: peers beyond the limit, together.
 */
export type Ownership = 'known' | 'ambiguous' | 'unknown' | 'rest';

/** An address that watched hosts talked to, and whose it was. An address that changes its host has two rows. */
export interface PeerRow extends Place {
  readonly address: string;
  readonly ownership: Ownership;
  /** The host; null unless it is known. */
  readonly host: string | null;
}

export interface HostRow extends Place {
  readonly host: string;
  readonly kernel: string;
}

/** From the watched host to its peer. Null: the host has no such label, or it is not known whose address it is. */
export interface PairRow {
  readonly from: string | null;
  readonly to: string | null;
  readonly ownership: Ownership;
}

/** The side that accepts connections: its label `service`, or the systemd unit, where it is known; and its port. */
export interface ServiceRow {
  readonly service: string | null;
  readonly port: number | null;
  /** The program that was seen there, on a watched host. */
  readonly comm: string | null;
}

export const DURATION_KINDS = ['connect', 'lifetime', 'rtt'] as const;
/** Establishing a connection; established to closed; smoothed round trip at the close. */
export type DurationKind = (typeof DURATION_KINDS)[number];

/** One bucket of a histogram (histogram.ts) of one service, an index of `services.rows`. */
export interface DurationRow {
  readonly service: number;
  readonly kind: DurationKind;
  readonly bucket: number;
}

export interface ResetRow {
  readonly direction: 'sent' | 'received';
  /** Of the connection at that moment. */
  readonly state: string | null;
}

/** What the ordinals and the ledgers of one host say about what is in the input and what is not. */
export interface HostAccount {
  readonly host: string;
  /** Events that the agent numbered, from the first to the last number that the input knows. */
  readonly expected: number;
  /** Of these, the events that are in the input, each counted once. */
  readonly seen: number;
  readonly missing: number;
  /** By reasons of the agent's ledger, such as `lost.kernel_overrun` or `sink.kafka.dropped.spool_full`. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly sessions: number;
  readonly agent_version: string | null;
  readonly config_hash: string | null;
  readonly source_kind: string | null;
  /** Seconds since 1970. */
  readonly last_s: number;
  /** The host was silent for more than three intervals of host_status at the end of the input. */
  readonly is_silent: boolean;
}

/** Connections whose peer has closed and whose own program has not, at the end of the input. */
export interface LeakRow {
  readonly host: string;
  readonly comm: string | null;
  readonly local_port: number | null;
  readonly connections: number;
  /** Seconds since 1970. */
  readonly oldest_s: number;
}

export interface InputFacts {
  readonly sources: readonly string[];
  readonly lines: number;
  readonly events: number;
  readonly duplicates: number;
  /** Lines that are no event of schema version 1. */
  readonly malformed: number;
  /** Events whose time cannot be right, by host: before 2020, or more than a day after now. */
  readonly wrong_clocks: Readonly<Record<string, number>>;
  /** Events outside of --since and --until. */
  readonly outside: number;
  readonly host_statuses: number;
  /** Damaged places of a spool, or that a replay reports. */
  readonly problems: readonly string[];
}

export interface Period {
  /** The first and the last event, seconds since 1970. */
  readonly first_s: number;
  readonly last_s: number;
  /** The time that slices cover: multiples of `snap_s`. */
  readonly start_s: number;
  readonly end_s: number;
  /** The widest slice: a part of the time that begins and ends at multiples of it is exact in every table. */
  readonly snap_s: number;
}

export interface ReportModel {
  readonly schema_version: 1;
  readonly ktc_version: string;
  readonly generated_at: string;
  readonly input: InputFacts;
  readonly period: Period;
  /** One row: everything. */
  readonly timeline: Grid<Measure>;
  readonly peers: Table<PeerRow>;
  readonly hosts: Table<HostRow, HostMeasure>;
  readonly pairs: Readonly<Record<PlaceLabel, Table<PairRow>>>;
  readonly services: Table<ServiceRow>;
  readonly durations: Table<DurationRow, 'count'>;
  readonly resets: Table<ResetRow, 'count'>;
  readonly account: readonly HostAccount[];
  readonly leaks: readonly LeakRow[];
}
