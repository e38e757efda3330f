/**
 * Where each field of an event goes in an OTLP LogRecord, as the table of fields says: OpenTelemetry's semantic
 * conventions have names for some, all others keep theirs below `ktc.`, those of later schemas too, so that no field can
 * get lost.
 */
import type { Field, OtlpPlace } from '../../../event/field.ts';
import { FIELDS, type FieldRow } from '../../../event/fields.ts';
import type { KtcEvent } from '../../../event/tcp-event.ts';

/** Of the semantic conventions whose names these are. */
export const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.45.0';

/** Fields of the host and of the agent, the same for all events of one run: they become the Resource and the scope. */
type OriginRow = Extract<FieldRow, { otlp: { origin: string } }>;
type OriginField = OriginRow['name'];

export type OriginFields = Pick<KtcEvent, OriginField>;

const ORIGIN_ROWS = FIELDS.filter(
  (field: Field): field is OriginRow => field.otlp !== undefined && 'origin' in field.otlp,
);
export const ORIGIN_FIELDS: readonly OriginField[] = ORIGIN_ROWS.map(({ name }) => name);
const NAMES = Object.fromEntries(ORIGIN_ROWS.map(({ name, otlp }) => [name, otlp.origin])) as Readonly<
  Record<OriginField, string>
>;

type Attribute = Extract<OtlpPlace, { attribute: string }>;

const ATTRIBUTES: ReadonlyMap<string, Attribute | null> = new Map(
  FIELDS.map(({ name, otlp = ownAttribute(name) }: Field) => [name, 'attribute' in otlp ? otlp : null]),
);

function ownAttribute(field: string): Attribute {
  return { attribute: `ktc.${field}` };
}

/** The attribute of the LogRecord that a field becomes; null for a field that has another place. */
export function attributeOf(field: string): Attribute | null {
  const attribute = ATTRIBUTES.get(field);
  return attribute === undefined ? ownAttribute(field) : attribute;
}

/** Of every record that tells of a connection: there is no other protocol. */
export const TRANSPORT = { name: 'network.transport', value: 'tcp' } as const;

/** Whether events of the kind tell of TCP; those of a later schema do. */
export function hasTransport(kind: string): boolean {
  return kind !== 'host_status';
}

export const SCOPE_NAME = 'ktc-agent';

/** The host, its labels and the agent of this version; a host without a machine id has none here either. */
export function resourceAttributes(fields: OriginFields, version: string): Record<string, string> {
  const labels = Object.entries(fields.labels).map(([name, value]) => [NAMES.labels + name, value]);
  return {
    'service.name': 'ktc-agent',
    'service.version': version,
    [NAMES.host]: fields.host,
    // Events of older versions have an empty one.
    ...(fields.host_id && { [NAMES.host_id]: fields.host_id }),
    'os.type': 'linux',
    [NAMES.kernel]: fields.kernel,
    [NAMES.boot_id]: fields.boot_id,
    ...Object.fromEntries(labels),
  };
}

export function scopeAttributes({ schema_version }: OriginFields): Record<string, number> {
  return { [NAMES.schema_version]: schema_version };
}
