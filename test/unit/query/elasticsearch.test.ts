/** The generated files of query/elasticsearch are current, and hold what each engine can take. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMON_LABELS, DOCUMENT } from '../../../query/elasticsearch/source/document.ts';
import { GENERATED } from '../../../query/elasticsearch/source/files.ts';
import { type SavedObject, savedObjects } from '../../../query/elasticsearch/source/saved-objects.ts';
import type { Field } from '../../../src/event/field.ts';
import { FIELDS } from '../../../src/event/fields.ts';

const ROOT = join(import.meta.dirname, '../../../query/elasticsearch/generated');

describe('the generated files of query/elasticsearch (make docs)', () => {
  test.each(Object.entries(GENERATED))('%s is as its source says', (path, content) => {
    expect(readFileSync(join(ROOT, path), 'utf8')).toBe(content);
  });

  test('there are no others', () => {
    const files = readdirSync(ROOT, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    const paths = files.map(({ parentPath, name }) => join(parentPath, name).slice(ROOT.length + 1));
    expect(paths.sort()).toEqual(Object.keys(GENERATED).sort());
  });

  test('every field of an event has a type, under its ECS names where it has any', () => {
    for (const { name, ecs } of FIELDS as readonly Field[]) {
      const names = typeof ecs === 'string' ? [ecs] : [`ktc.${name}`, ...Object.values(ecs ?? {})];
      for (const path of names) expect(DOCUMENT, name).toHaveProperty([path]);
    }
  });

  test('OpenSearch gets nothing that only Elasticsearch has', () => {
    const all = Object.entries(GENERATED).filter(([path]) => path.startsWith('opensearch/'));
    expect(all.length).toBeGreaterThan(5);
    for (const [, content] of all) expect(content).not.toMatch(/index\.lifecycle|flattened|"phases"/);
  });

  test('what apply.sh replaces is there to be replaced', () => {
    for (const engine of ['elasticsearch', 'opensearch']) {
      const of = (path: string): string => GENERATED[`${engine}/${path}`] ?? '';
      expect(of('policy/ktc-events.json')).toMatch(/"min(_index)?_age": "30d"/);
      expect(of('pipeline/ktc-events-stream.json')).toContain('"oldest_ms": 2592000000');
      expect(of('component-template/ktc-events.json')).toContain('"index.number_of_shards": 1');
    }
  });
});

describe.each(['7.17', '8', 'opensearch'] as const)('the saved objects of %s', (target) => {
  const objects = savedObjects(target);
  const keyOf = ({ type, id }: { readonly type: string; readonly id: string }): string => `${type} ${id}`;
  const bodyOf = ({ attributes }: SavedObject): string => JSON.stringify(attributes);

  test('have each identifier once', () => {
    expect(new Set(objects.map(keyOf)).size).toBe(objects.length);
  });

  test('refer only to objects that stand before them', () => {
    const known = new Set<string>();
    for (const object of objects) {
      for (const reference of object.references) expect(known, keyOf(object)).toContain(keyOf(reference));
      known.add(keyOf(object));
    }
  });

  test('name every reference, and have every one that they name', () => {
    for (const object of objects) {
      const names = object.references.map(({ name }) => name.replace(/^\d+:/, ''));
      const named = [...bodyOf(object).matchAll(/RefName\\*":\\*"([^"\\]+)/gi)].map(([, name]) => name);
      for (const name of named) expect(names, keyOf(object)).toContain(name);
      const isNamedElsewhere = (name: string): boolean =>
        /^(indexpattern-datasource|controlGroup_)/.test(name);
      for (const name of names.filter((one) => !isNamedElsewhere(one)))
        expect(named, keyOf(object)).toContain(name);
    }
  });

  test('ask only for fields that a document has', () => {
    const fields = objects.flatMap((object) =>
      [...bodyOf(object).matchAll(/"(?:sourceField|field|fieldName)\\*":\\*"([^"\\]+)/g)].map(
        ([, field = '']) => field,
      ),
    );
    expect(fields.length).toBeGreaterThan(40);
    const known = new Set([...Object.keys(DOCUMENT), ...COMMON_LABELS.map((label) => `labels.${label}`)]);
    const open = ['ktc.counters.', 'ktc.ledger.'];
    for (const field of fields.filter((name) => name !== 'Records' && name !== '___records___')) {
      if (!open.some((start) => field.startsWith(start))) expect(known).toContain(field);
    }
  });

  test('show durations with their unit, and ports as the names that they are', () => {
    const view = objects.find(({ id }) => id === 'ktc-events');
    const formats = JSON.parse(String(view?.attributes['fieldFormatMap'])) as Record<string, object>;
    for (const field of Object.keys(formats)) expect(Object.keys(DOCUMENT)).toContain(field);
    const shown = Object.keys(DOCUMENT).filter((field) => /(_us|[._]port|[._]bytes)$/.test(field));
    expect(shown.length).toBeGreaterThan(10);
    for (const field of shown) expect(Object.keys(formats)).toContain(field);
    expect(formats['ktc.latency_us']).toMatchObject({
      id: 'duration',
      params: { inputFormat: 'microseconds', outputFormat: 'asMilliseconds' },
    });
    expect(formats['destination.port']).toEqual({ id: 'number', params: { pattern: '0' } });
  });

  test('are on the dashboards without overlap, within the grid', () => {
    for (const { attributes } of objects.filter(({ type }) => type === 'dashboard')) {
      const panels = JSON.parse(String(attributes['panelsJSON'])) as {
        gridData: Record<'x' | 'y' | 'w' | 'h', number>;
      }[];
      expect(panels.length).toBeGreaterThan(5);
      const cells = panels.flatMap(({ gridData: { x, y, w, h } }) => {
        expect(x + w).toBeLessThanOrEqual(48);
        return Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`);
      });
      expect(new Set(cells).size).toBe(cells.length);
    }
  });

  test('of a dashboard: every panel is described by its question', () => {
    for (const { type, attributes } of objects.filter(({ type }) => type !== 'index-pattern'))
      if (!String(attributes['visState']).includes('input_control'))
        expect(attributes['description'], type).toMatch(/[.?]$/);
  });
});
