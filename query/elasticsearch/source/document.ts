/**
 * What an event becomes in Elasticsearch: the name and the type of every field of a document. ECS names come from the `ecs`
 * column of src/event/fields.ts; a field without one is `ktc.NAME`. A field whose ECS name depends on the side that opened
 * the connection is there twice: as `ktc.NAME` in every document, and by its ECS name where that side is known.
 */
import type { Field, FieldType } from '../../../src/event/field.ts';
import { FIELDS } from '../../../src/event/fields.ts';

/** A mapping of one field, as Elasticsearch and OpenSearch both take it. */
export type Mapping = Readonly<Record<string, unknown>>;

/** Where one field of an event goes. */
interface Destination {
  readonly field: string;
  /** The name in every document. */
  readonly path: string;
  /** More names, which depend on the direction of the connection. */
  readonly sides?: { readonly active: string; readonly passive: string };
  /** Only for events of this kind; else for all that have the field. */
  readonly kind?: string;
  readonly mapping: Mapping;
}

/** Lucene refuses terms above 32,766 bytes, and with the term the whole document. */
const KEYWORD = { type: 'keyword', ignore_above: 1024 } as const;

const NUMBER = { type: 'long' } as const;

/** The labels that have a meaning by convention. Every label is in `ktc.labels` as `name=value`. */
export const COMMON_LABELS = ['datacenter', 'rack', 'role', 'service', 'owner'] as const;

const LABELS = {
  dynamic: false,
  properties: Object.fromEntries(COMMON_LABELS.map((label) => [label, KEYWORD])),
} as const;

/** The names of the numbers are the kernel's and the ledger's own: they are mapped when they come. */
const NUMBERS = { type: 'object', dynamic: true } as const;
/** Kept in the document, and not searchable: hosts with containers would fill the mapping with names of interfaces. */
const KEPT = { type: 'object', enabled: false } as const;

const MAPPING_OF_TYPE: Readonly<Record<FieldType, Mapping>> = {
  version: { type: 'short' },
  event_id: KEYWORD,
  kind: KEYWORD,
  // Nanoseconds are kept: within one host they tell what came first.
  // A data stream of Elasticsearch wants its time to be a time, whatever is ignored elsewhere.
  timestamp: { type: 'date_nanos', ignore_malformed: false },
  text: KEYWORD,
  labels: LABELS,
  number: NUMBER,
  count: NUMBER,
  positive: NUMBER,
  pid_origin: KEYWORD,
  ip_version: KEYWORD,
  port: { type: 'integer' },
  connection_id: KEYWORD,
  community_id: KEYWORD,
  direction: KEYWORD,
  state: KEYWORD,
  retransmit_kind: KEYWORD,
  reset_direction: KEYWORD,
  source_kind: KEYWORD,
  config_hash: KEYWORD,
  addresses: { type: 'ip' },
  kernel_counters: NUMBERS,
  interface_counters: KEPT,
  account: NUMBERS,
  counts_by_cpu: KEPT,
};

/** ECS has another unit for these. */
export const FACTORS: Readonly<Record<string, number>> = { 'event.duration': 1000 };

/** ECS has other words for these. */
export const WORDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'network.direction': { active: 'egress', passive: 'ingress', unknown: 'unknown' },
  'network.type': { 4: 'ipv4', 6: 'ipv6' },
};

function mappingOf({ type, ecs }: Field): Mapping {
  const isAddress = typeof ecs === 'object' && ecs.active.endsWith('.ip');
  return isAddress ? { type: 'ip' } : MAPPING_OF_TYPE[type];
}

function destinationOf(row: Field): Destination {
  const { name: field, ecs, on } = row;
  const mapping = mappingOf(row);
  if (typeof ecs === 'object') return { field, path: `ktc.${field}`, sides: ecs, mapping };
  const isShared = FIELDS.filter(({ name }) => name === field).length > 1;
  const kinds = isShared && ecs !== undefined ? on : [undefined];
  const [kind] = kinds;
  return { field, path: ecs ?? `ktc.${field}`, mapping, ...(kind !== undefined && { kind }) };
}

/** Every field of an event. */
export const DESTINATIONS: readonly Destination[] = FIELDS.map(destinationOf);

/** What the pipeline adds to what the event says. */
const ADDED: Readonly<Record<string, Mapping>> = {
  'ecs.version': KEYWORD,
  'event.kind': KEYWORD,
  'event.category': KEYWORD,
  'event.type': KEYWORD,
  'event.module': KEYWORD,
  'event.dataset': KEYWORD,
  'event.ingested': { type: 'date' },
  'network.transport': KEYWORD,
  'related.ip': { type: 'ip' },
  // The label of the host, or the systemd unit of the process.
  'service.name': KEYWORD,
  // `name=value` of each label: any label can be searched without a field of its own in the mapping.
  'ktc.labels': KEYWORD,
  // The trace session and the place in it, out of event_id: what is missing is counted by them.
  'ktc.session': KEYWORD,
  'ktc.ordinal': NUMBER,
  // How many retransmits the event stands for: the sum over all is the number of retransmits, with summaries or without.
  'ktc.retransmit_count': NUMBER,
  // Of host_status: sums over what is too various for fields of its own.
  'ktc.emitted': NUMBER,
  'ktc.lost': NUMBER,
  'ktc.interface_errors': NUMBER,
  'ktc.interface_drops': NUMBER,
};

/** Every name in a document with its mapping. */
export const DOCUMENT: Readonly<Record<string, Mapping>> = {
  ...Object.fromEntries(
    DESTINATIONS.flatMap(({ path, sides, mapping }) =>
      [path, ...(sides === undefined ? [] : [sides.active, sides.passive])].map((name) => [name, mapping]),
    ),
  ),
  ...ADDED,
};

interface Node {
  readonly properties: Record<string, Node | Mapping>;
}

/** The document as Elasticsearch's nested `properties`. */
export function propertiesOf(document: Readonly<Record<string, Mapping>>): Node['properties'] {
  const root: Node = { properties: {} };
  for (const [path, mapping] of Object.entries(document)) {
    const names = path.split('.');
    const last = names.pop() ?? path;
    let node = root;
    for (const name of names) {
      node.properties[name] ??= { properties: {} };
      node = node.properties[name] as Node;
    }
    node.properties[last] = mapping;
  }
  return root.properties;
}
