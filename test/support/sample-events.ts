/** One event of each kind with every field of the JSON schema, each with a value of its own. */
import type { Field } from '../../src/event/field.ts';
import { FIELDS } from '../../src/event/fields.ts';
import { EVENT_KINDS, type EventKind } from '../../src/event/kinds.ts';
import schema from '../../src/event/tcp-event.schema.json' with { type: 'json' };
import type { EventOf, KtcEvent } from '../../src/event/tcp-event.ts';
import { rulesOf } from './schema.ts';

const TEXTS: Readonly<Record<string, unknown>> = {
  schema_version: 1,
  event_id: '7b1c0e9a-5d2f-4b8e-9c3a-1f6e8d7c5b4a-00c0ffee-3-42',
  timestamp: '2026-11-24T02:13:07.000000019Z',
  host: 'db-17.example.net',
  host_id: '3f2a6c1d9e8b47f0a5c4d3e2f1a0b9c8',
  boot_id: '7b1c0e9a-5d2f-4b8e-9c3a-1f6e8d7c5b4a',
  kernel: '3.10.0-862.el7.x86_64',
  labels: { rack: 'r"07"', owner: 'Zoë' },
  comm: 'kworker/\u00fc\\"1',
  pid_origin: 'owner',
  unit: 'dev-disk-by\\x2dlabel.swap',
  container_id: '3f2a6c1d9e8b47f0a5c4d3e2f1a0b9c83f2a6c1d9e8b47f0a5c4d3e2f1a0b9c8',
  ip_version: 6,
  local_address: '2001:db8::1',
  remote_address: '2001:db8::2',
  connection_id: 'connection-9',
  community_id: '1:LQU9qZlK+B5F3KDmev6m5PMibrg=',
  direction: 'active',
  state: 'ESTABLISHED',
  old_state: 'SYN_SENT',
  new_state: 'CLOSE_WAIT',
  retransmit_kind: 'rto',
  reset_direction: 'sent',
  agent_version: '1.2.3',
  source_kind: 'module',
  config_hash: '9f86d081884c7d65',
  addresses: ['10.1.2.3', '2001:db8::3'],
  counters: { 'Tcp.OutSegs': 2 ** 53 - 1, 'TcpExt.TCPLossProbes': 0 },
  interfaces: { eth0: { rx_errors: 0, tx_errors: 130 }, 'bond"0': {} },
  ledger: { read: 600, 'lost.kernel_overrun': 0, 'sink.kafka.delivered': 2 ** 32 },
  ordinals: { 0: 512, 17: 188 },
};

/** Beside those that all kinds have. */
function ownProperties(kind: EventKind): Readonly<Record<string, object>> {
  return Object.assign({}, ...rulesOf(kind).map(({ then }) => then.properties ?? {}));
}

/** Fields that all events have and that are null in this kind. */
function nullFieldsOf(kind: EventKind): string[] {
  const own = Object.entries(ownProperties(kind));
  return own.flatMap(([field, rule]) => ('const' in rule && rule.const === null ? [field] : []));
}

/** The schema's fields of a kind that may have a value, in the order of the bytes, which the schema does not have. */
export function fieldsOf(kind: EventKind): string[] {
  const nulls = nullFieldsOf(kind);
  const all = new Set([...Object.keys(schema.properties), ...Object.keys(ownProperties(kind))]);
  const inOrder = FIELDS.flatMap(({ name, on }: Field) => (on.includes(kind) ? [name] : []));
  return [...new Set([...inOrder, ...all])].filter((field) => all.has(field) && !nulls.includes(field));
}

/** Numbers differ from field to field; the largest needs more than 32 bits. */
export function fullEvent<Kind extends EventKind>(kind: Kind): EventOf<Kind> {
  const fields = fieldsOf(kind).map((field, index) => [
    field,
    field === 'event' ? kind : (TEXTS[field] ?? (field === 'bytes_sent' ? 2 ** 53 - 1 : 1000 + index)),
  ]);
  const nulls = nullFieldsOf(kind).map((field) => [field, null]);
  return Object.fromEntries([...fields, ...nulls]) as EventOf<Kind>;
}

export const fullEvents: readonly KtcEvent[] = EVENT_KINDS.map(fullEvent);
