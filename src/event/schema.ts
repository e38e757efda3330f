/** The published JSON Schema of the events, made of the table of fields. `make docs` writes tcp-event.schema.json. */
import { FIELD_TYPES, type Field, type FieldType } from './field.ts';
import { COMMON_FIELDS, ownFieldsOf, TCP_FIELDS } from './fields.ts';
import { EVENT_KINDS, type EventKind, SCHEMA_VERSION, SINGLE_EVENT_KINDS, TCP_EVENT_KINDS } from './kinds.ts';

type Rule = Readonly<Record<string, unknown>>;

/** Rules that several fields have, by their names in `$defs`. */
const DEFINITIONS: Readonly<Record<string, { type: FieldType; isNullable: boolean; description?: string }>> =
  {
    count: { type: 'count', isNullable: true },
    sum: { type: 'count', isNullable: false },
    port: { type: 'port', isNullable: true },
    state: { type: 'state', isNullable: true, description: 'As in Linux, without the prefix.' },
  };

/** What holds for all events; the kinds add their own fields. */
export function eventSchema(): Rule {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:ktc:tcp-event:${SCHEMA_VERSION}`,
    title: `KTC event, schema version ${SCHEMA_VERSION}`,
    description:
      'One object an event. A field that the source cannot know is null, never 0 and never absent. Additions are allowed within a version; a rename or a change of meaning makes a new version.',
    type: 'object',
    required: COMMON_FIELDS.map(({ name }) => name),
    properties: propertiesOf(COMMON_FIELDS),
    allOf: [
      tcpRule(),
      singleRule(),
      ...EVENT_KINDS.filter((kind) => ownFieldsOf(kind).length > 0).map(kindRule),
    ],
    unevaluatedProperties: false,
    $defs: Object.fromEntries(
      Object.entries(DEFINITIONS).map(([name, { type, isNullable, description }]) => [
        name,
        described(typeRule(type, isNullable), description),
      ]),
    ),
  };
}

/** What all kinds have that tell of TCP. */
function tcpRule() {
  return {
    if: { properties: { event: { enum: TCP_EVENT_KINDS } } },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { required: TCP_FIELDS.map(({ name }) => name), properties: propertiesOf(TCP_FIELDS) },
  };
}

/** Of single events: what may be null in a summary only. */
function singleRule() {
  const fields = TCP_FIELDS.filter(
    ({ inSummary, isNullable }) => inSummary !== undefined && isNullable !== true,
  );
  return {
    if: { properties: { event: { enum: SINGLE_EVENT_KINDS } } },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: {
      properties: Object.fromEntries(fields.map(({ name, type }) => [name, { type: jsonTypeOf(type) }])),
    },
  };
}

const DESCRIPTIONS: Readonly<Partial<Record<EventKind, string>>> = {
  tcp_retransmit_summary:
    'All retransmits between two addresses of one network namespace in one interval. No limit suppresses it.',
  host_status: 'What the host and its agent are. No limit suppresses it, and no rule excludes it.',
};

function kindRule(kind: EventKind): Rule {
  const own = ownFieldsOf(kind);
  const description = DESCRIPTIONS[kind];
  return {
    if: { properties: { event: { const: kind } } },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: {
      ...(description !== undefined && { description }),
      required: own.map(({ name }) => name),
      properties: { ...(kind === 'tcp_retransmit_summary' && nullProperties()), ...propertiesOf(own) },
    },
  };
}

function propertiesOf(fields: readonly Field[]): Rule {
  return Object.fromEntries(
    fields.map(({ name, type, isNullable, inSummary, description }) => [
      name,
      described(referenceOrRule(type, isNullable === true || inSummary !== undefined), description),
    ]),
  );
}

/** Of a summary: what has no meaning there. */
function nullProperties(): Rule {
  const fields = TCP_FIELDS.filter(({ inSummary }) => inSummary !== undefined);
  return Object.fromEntries(fields.map(({ name }) => [name, { const: null }]));
}

function described(rule: Rule, description: string | undefined): Rule {
  return description === undefined ? rule : { ...rule, description };
}

function referenceOrRule(type: FieldType, isNullable: boolean): Rule {
  const name = Object.keys(DEFINITIONS).find(
    (key) => DEFINITIONS[key]?.type === type && DEFINITIONS[key]?.isNullable === isNullable,
  );
  return name === undefined ? typeRule(type, isNullable) : { $ref: `#/$defs/${name}` };
}

function typeRule(type: FieldType, isNullable: boolean): Rule {
  const rule = FIELD_TYPES[type];
  if (!isNullable || 'const' in rule) return rule;
  return 'enum' in rule ? { ...rule, enum: [...rule.enum, null] } : { ...rule, type: [rule.type, 'null'] };
}

/** JSON's name of what a value of the type is where it is not null. */
export function jsonTypeOf(type: FieldType): string {
  const rule = FIELD_TYPES[type];
  if ('type' in rule) return rule.type;
  return typeof ('enum' in rule ? rule.enum[0] : rule.const) === 'number' ? 'integer' : 'string';
}
