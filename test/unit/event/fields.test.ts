/** What the table of fields promises to those who read it. */
import { describe, expect, test } from 'vitest';
import { FIELD_TYPES, type Field, type FieldSource, fieldsFrom } from '../../../src/event/field.ts';
import { COMMON_FIELDS, FIELDS, ownFieldsOf, TCP_FIELDS } from '../../../src/event/fields.ts';
import { TCP_EVENT_KINDS } from '../../../src/event/kinds.ts';

const rows: readonly Field[] = FIELDS;
const sourceOf = (from: FieldSource) => (from === 'serializer' ? from : (Object.keys(from)[0] ?? ''));

describe('the table of fields', () => {
  test('has a name once for each kind', () => {
    const names = rows.flatMap(({ name, on }) => on.map((kind) => `${kind} ${name}`));
    expect(new Set(names).size).toBe(names.length);
  });

  test('has common fields first, whose sources stand in the order in which the serializer writes them', () => {
    const shared = rows.slice(0, COMMON_FIELDS.length + TCP_FIELDS.length);
    expect(new Set(shared)).toEqual(new Set([...COMMON_FIELDS, ...TCP_FIELDS]));
    const sources = shared.map(({ from }) => sourceOf(from));
    expect(sources.filter((source, index) => source !== sources[index - 1])).toEqual([
      'serializer',
      'host',
      'task',
      'serializer',
      'connection',
    ]);
  });

  test.each(TCP_EVENT_KINDS)('has choices before numbers in %s, and nothing else', (kind) => {
    const own = ownFieldsOf(kind);
    const [choices, numbers] = [fieldsFrom('index', own), fieldsFrom('number', own)];
    expect([...choices, ...numbers].map(({ start }) => start)).toEqual(own.map(({ name }) => `,"${name}":`));
  });

  test('has nothing in host_status that is not of the status, behind the common fields', () => {
    const own = ownFieldsOf('host_status');
    expect(fieldsFrom('status', own).map(({ start }) => start)).toEqual(own.map(({ name }) => `,"${name}":`));
    expect(rows.slice(-own.length)).toEqual(own);
  });

  test.each(rows)('explains $name on $on', ({ description, note }) => {
    expect(`${description ?? ''}${note ?? ''}`).toMatch(/\w/);
  });

  test.each(rows.filter(({ from }) => typeof from === 'object' && 'index' in from))(
    'gives $name the values of its type',
    ({ from, type, isNullable }) => {
      const { of: values } = from as Extract<FieldSource, { readonly of: unknown }>;
      const rule = FIELD_TYPES[type];
      expect(values.filter((value) => value !== null)).toEqual('enum' in rule && rule.enum);
      expect(values.includes(null)).toBe(isNullable === true);
    },
  );
});
