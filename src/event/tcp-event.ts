/** The published events as TypeScript types, made of the table of fields. */
import type { FIELD_TYPES, FieldType } from './field.ts';
import type { FieldRow } from './fields.ts';
import type { EventKind, SingleEventKind, TcpEventKind } from './kinds.ts';

/** What a rule of JSON Schema allows. */
type Allowed<Rule> = Rule extends { const: infer Only }
  ? Only
  : Rule extends { enum: readonly (infer Choice)[] }
    ? Choice
    : Rule extends { type: 'integer' }
      ? number
      : Rule extends { type: 'string' }
        ? string
        : Rule extends { items: infer Item }
          ? Allowed<Item>[]
          : Rule extends { additionalProperties: infer Member }
            ? Record<string, Allowed<Member>>
            : never;

/** The value of a type where it is not null. */
type Value<Type extends FieldType> = Allowed<(typeof FIELD_TYPES)[Type]>;

type OrNull<Row, T> = Row extends { isNullable: true } ? T | null : T;

type FieldValue<Row extends FieldRow, Kind extends EventKind> = Row['type'] extends 'kind'
  ? Kind
  : Kind extends SingleEventKind | 'host_status'
    ? OrNull<Row, Value<Row['type']>>
    : Row extends { inSummary: 'null' }
      ? null
      : OrNull<Row, Value<Row['type']>>;

type RowsOn<Kind extends EventKind, Row extends FieldRow = FieldRow> = Row extends FieldRow
  ? Kind extends Row['on'][number]
    ? Row
    : never
  : never;

/** An event of one kind; of several kinds, each of its own. */
export type EventOf<Kind extends EventKind> = Kind extends EventKind
  ? { [Row in RowsOn<Kind> as Row['name']]: FieldValue<Row, Kind> }
  : never;

export type ConnectEvent = EventOf<'tcp_connect'>;
export type AcceptEvent = EventOf<'tcp_accept'>;
export type ConnectLatencyEvent = EventOf<'tcp_connect_latency'>;
export type StateEvent = EventOf<'tcp_state'>;
export type LifeEvent = EventOf<'tcp_life'>;
export type RetransmitEvent = EventOf<'tcp_retransmit'>;
export type ResetEvent = EventOf<'tcp_reset'>;
/** All retransmits to one peer in one interval. It is of no one process, port or connection: these are null. */
export type RetransmitSummaryEvent = EventOf<'tcp_retransmit_summary'>;

/** Tells of one moment of one connection. */
export type SingleEvent = EventOf<SingleEventKind>;

/** Of every kind that tells of TCP. */
export type TcpEvent = EventOf<TcpEventKind>;

/** What the host and its agent are: the only kind without a connection. */
export type HostStatusEvent = EventOf<'host_status'>;

/** All that is published. */
export type KtcEvent = EventOf<EventKind>;
