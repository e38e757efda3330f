/** An event of the fleet as an object, in the order of its bytes. */
import type { Field } from '../../../src/event/field.ts';
import { FIELDS } from '../../../src/event/fields.ts';
import type { EventKind } from '../../../src/event/kinds.ts';

/** The members that truth is computed from. Others are in the JSON too: the schema has all of them. */
export interface FleetEvent {
  readonly event: EventKind;
  readonly event_id: string;
  /** RFC 3339, UTC, nanoseconds. */
  readonly timestamp: string;
  readonly host: string;
  readonly boot_id: string;
  readonly kernel: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly cpu: number;
  readonly comm?: string | null;
  readonly unit?: string | null;
  readonly local_address?: string | null;
  readonly local_port?: number | null;
  readonly remote_address?: string | null;
  readonly remote_port?: number | null;
  readonly connection_id?: string | null;
  readonly community_id?: string | null;
  readonly direction?: 'active' | 'passive' | 'unknown' | null;
  readonly old_state?: string | null;
  readonly new_state?: string | null;
  readonly state?: string | null;
  readonly retransmit_kind?: string;
  readonly reset_direction?: 'sent' | 'received';
  readonly duration_us?: number | null;
  readonly latency_us?: number | null;
  readonly bytes_sent?: number | null;
  readonly bytes_received?: number | null;
  readonly segments_sent?: number | null;
  readonly segments_received?: number | null;
  readonly retransmits?: number | null;
  readonly retransmits_suppressed?: number;
  readonly srtt_us?: number | null;
  /** Of a host_status: see docs/events.md. */
  readonly agent_version?: string;
  readonly uptime_s?: number;
  readonly source_kind?: string;
  readonly config_hash?: string;
  readonly addresses?: readonly string[];
  readonly counters?: Readonly<Record<string, number>>;
  readonly interfaces?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly ledger?: Readonly<Record<string, number>>;
  readonly ordinals?: Readonly<Record<string, number>>;
}

/** What happened, before the agent of the host has numbered it. */
export interface Happening {
  /** Microseconds since 1970. */
  readonly us: number;
  readonly kind: EventKind;
  readonly values: Readonly<Record<string, unknown>>;
}

const blanks = new Map<string, Readonly<Record<string, null>>>();

/** Every member that an event of the kind has, null, in the order of its bytes. */
export function blankOf(kind: EventKind): Readonly<Record<string, null>> {
  const known = blanks.get(kind);
  if (known !== undefined) return known;
  const fields: readonly Field[] = FIELDS.filter(({ on }: Field) => on.includes(kind));
  const blank = Object.fromEntries(fields.map(({ name }) => [name, null]));
  blanks.set(kind, blank);
  return blank;
}

/** RFC 3339 with nanoseconds; `us` are whole microseconds since 1970. */
export function timestampText(us: number, nanoseconds: number): string {
  const ms = Math.floor(us / 1000);
  const rest = String((us - ms * 1000) * 1000 + nanoseconds).padStart(6, '0');
  return `${new Date(ms).toISOString().slice(0, -1)}${rest}Z`;
}
