/** The generated files of query/elasticsearch are current, and hold what each engine can take. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DOCUMENT } from '../../../query/elasticsearch/source/document.ts';
import { GENERATED } from '../../../query/elasticsearch/source/files.ts';
import { HOST_STATUS_FIELDS } from '../../../query/elasticsearch/source/host-status.ts';
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
      const own = HOST_STATUS_FIELDS[name]?.path;
      for (const path of own === undefined ? names : [own]) expect(DOCUMENT, name).toHaveProperty([path]);
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
