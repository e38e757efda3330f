/**
 * Where each field of an event goes in an OTLP LogRecord: OpenTelemetry's semantic conventions have names for some, all
 * others keep theirs below `ktc.`, those of later schemas too, so that no field can get lost.
 */
import type { TcpEvent } from '../../../event/tcp-event.ts';

/** Of the semantic conventions whose names these are. */
export const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.45.0';

/** Fields of the host and of the agent, the same for all events of one run: they become the Resource and the scope. */
export const ORIGIN_FIELDS = ['schema_version', 'host', 'host_id', 'boot_id', 'kernel', 'labels'] as const;

export type OriginFields = Pick<TcpEvent, (typeof ORIGIN_FIELDS)[number]>;

/** Fields that LogRecord has members for. */
const RECORD_FIELDS = ['event', 'timestamp'] as const;

const CONVENTIONS: Readonly<Record<string, string>> = {
  event_id: 'log.record.uid',
  pid: 'process.pid',
  cpu: 'cpu.logical_number',
  ip_version: 'network.type',
  local_address: 'network.local.address',
  local_port: 'network.local.port',
  remote_address: 'network.peer.address',
  remote_port: 'network.peer.port',
};

const NOT_ATTRIBUTES: ReadonlySet<string> = new Set([...ORIGIN_FIELDS, ...RECORD_FIELDS]);

/** The attribute of the LogRecord that a field becomes; null for a field that has another place. */
export function attributeName(field: string): string | null {
  if (NOT_ATTRIBUTES.has(field)) return null;
  return CONVENTIONS[field] ?? `ktc.${field}`;
}

/** `network.type` by `ip_version`. */
export const NETWORK_TYPES: Readonly<Record<string, string>> = { 4: 'ipv4', 6: 'ipv6' };

/** Of every record: there is no other protocol. */
export const TRANSPORT = { name: 'network.transport', value: 'tcp' } as const;

export const SCOPE_NAME = 'ktc-agent';

/** The host, its labels and the agent of this version; a host without a machine id has none here either. */
export function resourceAttributes(fields: OriginFields, version: string): Record<string, string> {
  const labels = Object.entries(fields.labels).map(([name, value]) => [`ktc.label.${name}`, value]);
  return {
    'service.name': 'ktc-agent',
    'service.version': version,
    'host.name': fields.host,
    ...(fields.host_id !== '' && { 'host.id': fields.host_id }),
    'os.type': 'linux',
    'os.version': fields.kernel,
    'ktc.boot_id': fields.boot_id,
    ...Object.fromEntries(labels),
  };
}

export function scopeAttributes({ schema_version }: OriginFields): Record<string, number> {
  return { 'ktc.schema_version': schema_version };
}
