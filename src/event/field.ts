/** What a row of the table of event fields (fields.ts) consists of. */
import type { Task } from '../source/host/tasks.ts';
import type { Connection } from './connection/connection.ts';
import type { Flow } from './connection/flow.ts';
import type { PeerSummary } from './connection/peer-summary.ts';
import type { EventDraft } from './draft.ts';
import type { HostFacts } from './host-facts.ts';
import type { HostStatus } from './host-status.ts';
import {
  DIRECTIONS,
  EVENT_KINDS,
  type EventKind,
  IP_VERSIONS,
  PID_ORIGINS,
  type PidOrigin,
  RESET_DIRECTIONS,
  RETRANSMIT_KINDS,
  SCHEMA_VERSION,
  SOURCE_KINDS,
  TCP_STATES,
} from './kinds.ts';

/** A number by name, in an object without other members. */
const COUNTS = { type: 'object', additionalProperties: { type: 'integer', minimum: 0 } } as const;

/** The types that a field can have, as rules of JSON Schema for a value that is not null. */
export const FIELD_TYPES = {
  version: { const: SCHEMA_VERSION },
  event_id: { type: 'string', pattern: '^[^\\s]+-[0-9a-f]{8}-[0-9]+-[0-9]+$' },
  kind: { enum: EVENT_KINDS },
  timestamp: { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{9}Z$' },
  text: { type: 'string' },
  labels: { type: 'object', additionalProperties: { type: 'string' } },
  /** A number that identifies something. */
  number: { type: 'integer', minimum: 0 },
  /** A number that can be added up. */
  count: { type: 'integer', minimum: 0 },
  positive: { type: 'integer', minimum: 1 },
  pid_origin: { enum: PID_ORIGINS },
  ip_version: { enum: IP_VERSIONS },
  port: { type: 'integer', minimum: 0, maximum: 65_535 },
  connection_id: { type: 'string', minLength: 1 },
  community_id: { type: 'string', pattern: '^1:[A-Za-z0-9+/]{27}=$' },
  direction: { enum: DIRECTIONS },
  state: { enum: TCP_STATES.filter((state) => state !== null) },
  retransmit_kind: { enum: RETRANSMIT_KINDS },
  reset_direction: { enum: RESET_DIRECTIONS },
  source_kind: { enum: SOURCE_KINDS },
  config_hash: { type: 'string', pattern: '^[0-9a-f]{16}$' },
  addresses: { type: 'array', items: { type: 'string', pattern: '^[0-9a-f.:]+$' }, uniqueItems: true },
  /** `Tcp.OutSegs` */
  kernel_counters: { ...COUNTS, propertyNames: { pattern: '^[A-Z][A-Za-z0-9]*\\.[A-Z][A-Za-z0-9]*$' } },
  /** By interface, whose name has at most 15 bytes, no slash and no white space (net/core/dev.c, `dev_valid_name`). */
  interface_counters: {
    type: 'object',
    propertyNames: { pattern: '^[^/\\s]{1,15}$' },
    additionalProperties: { ...COUNTS, propertyNames: { pattern: '^[rt]x_[a-z_]+$' } },
  },
  /** `lost.kernel_overrun` */
  account: { ...COUNTS, propertyNames: { pattern: '^[a-z_]+(\\.[a-z0-9_]+)*$' } },
  /** By the number of a CPU. */
  counts_by_cpu: { ...COUNTS, propertyNames: { pattern: '^[0-9]+$' } },
} as const;

export type FieldType = keyof typeof FIELD_TYPES;

/** What JSON can hold without escapes. */
export type Plain = string | number | null;

/**
 * Where the value comes from. The serializer writes the sources in a fixed order; a test checks that the table has it.
 */
export type FieldSource =
  /** The serializer writes it by hand. */
  | 'serializer'
  | { readonly host: (facts: HostFacts) => string | null | Readonly<Record<string, string>> }
  | { readonly task: (task: Task, origin: PidOrigin) => Plain }
  /** `peer` gives the value of a summary; without it a summary has null. */
  | {
      readonly connection: (connection: Connection, flow: Flow) => Plain;
      readonly peer?: (summary: PeerSummary) => Plain;
    }
  /** One of the values of `of`, by its index; the first one where the index is out of range. */
  | { readonly index: (draft: EventDraft) => number; readonly of: readonly Plain[] }
  /**
   * A whole number ≥ 0; UNKNOWN becomes null. Neighbours with the same `isKnown` are all null where it is false, in one
   * write.
   */
  | { readonly number: (draft: EventDraft) => number; readonly isKnown?: (draft: EventDraft) => boolean }
  /** Any JSON value: these events are rare. */
  | { readonly status: (status: HostStatus) => string | number | null | object };

/** Where OTLP has the field. */
export type OtlpPlace =
  /** An attribute of the LogRecord, which may have other words for the values. */
  | { readonly attribute: string; readonly values?: Readonly<Record<string, string>> }
  /** An attribute that all events of one run share. For labels it is the start of the name, which the label completes. */
  | { readonly origin: string; readonly in: 'resource' | 'scope' }
  | { readonly record: 'EventName' | 'Timestamp' };

/**
 * The name in the Elastic Common Schema (8.8 and later). In ECS the source is the side that opened the connection, so a
 * field of one side has two names: one for connections that this host opened, one for those that the peer opened. Three
 * values need another unit or word: event.duration is in nanoseconds, network.type is ipv4 or ipv6, network.direction is
 * egress, ingress or unknown.
 */
export type EcsName = string | { readonly active: string; readonly passive: string };

export interface Field {
  /** Unique among the fields of one kind; another kind may have a field of this name with another meaning. */
  readonly name: string;
  readonly on: readonly EventKind[];
  readonly type: FieldType;
  /** The source may not know it. */
  readonly isNullable?: true;
  /** Always null in a summary, which is of no one connection. */
  readonly inSummary?: 'null';
  readonly unit?: 'µs' | 's' | 'bytes' | 'segments';
  readonly from: FieldSource;
  /** The native tracepoints cannot tell it. */
  readonly needsModule?: true;
  /** Without it: an attribute of its own name below `ktc.`. */
  readonly otlp?: OtlpPlace;
  readonly ecs?: EcsName;
  /** Published in the JSON Schema, and in docs/events.md. Plain text. */
  readonly description?: string;
  /** What docs/events.md adds to the description. Markdown. */
  readonly note?: string;
}

type SourceName = 'host' | 'task' | 'connection' | 'index' | 'number' | 'status';

/** A field whose value comes from the source of that name. */
export interface SourcedField<Name extends SourceName> {
  /** `,"name":` */
  readonly start: string;
  readonly from: Extract<FieldSource, { readonly [Key in Name]: unknown }>;
}

/** Those of the fields that have that source, in their order. */
export function fieldsFrom<Name extends SourceName>(
  source: Name,
  fields: readonly Field[],
): readonly SourcedField<Name>[] {
  return fields.flatMap(({ name, from }) =>
    typeof from === 'object' && source in from
      ? [{ start: memberStart(name), from: from as SourcedField<Name>['from'] }]
      : [],
  );
}

/** A member of a JSON object up to its value; it is never the first. */
export function memberStart(name: string): string {
  return `,"${name}":`;
}
