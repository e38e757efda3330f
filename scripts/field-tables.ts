/** The table of event fields as tables of docs/events.md. */
import { type EcsName, FIELD_TYPES, type Field, type OtlpPlace } from '../src/event/field.ts';
import { COMMON_FIELDS, FIELDS, TCP_FIELDS } from '../src/event/fields.ts';
import { jsonTypeOf } from '../src/event/schema.ts';
import { tableOf } from './markdown.ts';

/** Of more values than these a table does not tell. */
const MAX_LISTED = 6;

const code = (text: string): string => `\`${text}\``;

function typeText({ type, isNullable, inSummary, unit }: Field): string {
  const rule = FIELD_TYPES[type];
  const values: readonly (string | number)[] | undefined = 'enum' in rule ? rule.enum : undefined;
  const listed = values !== undefined && values.length <= MAX_LISTED;
  return [
    ...(listed ? values.map((value) => code(String(value))) : [jsonTypeOf(type)]),
    ...(unit === undefined ? [] : [unit]),
    ...(isNullable === true || inSummary !== undefined ? ['null'] : []),
  ].join(', ');
}

function meaning({ description, note, needsModule }: Field): string {
  return [
    ...(description === undefined ? [] : [description]),
    ...(note === undefined ? [] : [note]),
    ...(needsModule === true ? ['Null without tcp_trace.ko.'] : []),
  ].join(' ');
}

/** What events of several kinds have in common. */
function sharedFieldsTable(fields: readonly Field[]): string {
  return tableOf(
    ['field', 'type', 'meaning'],
    fields.map((field) => [code(field.name), typeText(field), meaning(field)]),
  );
}

/** What all events carry. */
export function commonFieldsTable(): string {
  return sharedFieldsTable(COMMON_FIELDS);
}

/** What all events of TCP carry. */
export function tcpFieldsTable(): string {
  return sharedFieldsTable(TCP_FIELDS);
}

/** What events of some kinds carry. */
export function ownFieldsTable(): string {
  const own = FIELDS.filter((field: Field) => !COMMON_FIELDS.includes(field) && !TCP_FIELDS.includes(field));
  return tableOf(
    ['field', 'of', 'type', 'meaning'],
    own.map((field: Field) => [
      code(field.name),
      field.on.map(code).join(', '),
      typeText(field),
      meaning(field),
    ]),
  );
}

function otlpText(place: OtlpPlace | undefined): string {
  if (place === undefined) return '';
  if ('record' in place) return `${place.record} of the record`;
  if ('attribute' in place) return code(place.attribute);
  const name = place.origin.endsWith('.') ? `${place.origin}NAME` : place.origin;
  return `${code(name)} of the ${place.in}`;
}

function ecsText(name: EcsName | undefined): string {
  if (name === undefined) return '';
  return typeof name === 'string' ? code(name) : `${code(name.active)}; ${code(name.passive)}`;
}

/** What OTLP and ECS call a field. */
export function fieldNamesTable(): string {
  const named = FIELDS.filter(({ otlp, ecs }: Field) => otlp !== undefined || ecs !== undefined);
  return tableOf(
    ['field', 'OTLP', 'ECS'],
    named.map(({ name, otlp, ecs }: Field) => [code(name), otlpText(otlp), ecsText(ecs)]),
  );
}
