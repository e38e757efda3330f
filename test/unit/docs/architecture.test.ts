import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findCircle, forbiddenImports, importsOf, readImports, readRules } from '../../support/imports.ts';

const ROOT = join(import.meta.dirname, '../../..');
const page = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
const rules = readRules(page);

describe('src/ is as docs/architecture.md says', () => {
  const imports = readImports(ROOT);

  test('no file imports what the table forbids its folder', () => {
    expect(imports.size).toBeGreaterThan(150);
    expect(forbiddenImports(imports, rules)).toEqual([]);
  });

  test('no import leads back to where it started', () => {
    expect(findCircle(imports)).toBeNull();
  });

  test('the table has every folder directly below src/, and none that is not there', () => {
    const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `src/${name}`);
    expect(rules.map(({ folder }) => folder)).toEqual(expect.arrayContaining(folders));
    for (const { folder, mayImport } of rules)
      for (const path of [folder, ...mayImport]) expect(existsSync(join(ROOT, path)), path).toBe(true);
  });

  test('every file that the page names is there', () => {
    const named = [
      ...page.matchAll(/`((?:src|test|docs|bench|scripts|kmodule|config|tools|man)\/[\w./-]+)`/g),
    ];
    expect(named.length).toBeGreaterThan(50);
    for (const [, path = ''] of named) expect(existsSync(join(ROOT, path)), path).toBe(true);
  });
});

describe('the comparison notices', () => {
  const table = readRules(
    '| folder | may import |\n|---|---|\n| `src/a` | – |\n| [`src/b`](#b) | `src/a` |\n| `src/b/c` | – |\n',
  );

  test('an import that no row allows', () => {
    const imports = new Map([
      ['src/a/one.ts', ['src/a/two.ts', 'src/b/three.ts']],
      ['src/b/three.ts', ['src/a/one.ts', 'src/b/c/four.ts']],
      ['src/b/c/four.ts', ['src/b/three.ts']],
      ['src/d/five.ts', []],
    ]);
    expect(forbiddenImports(imports, table)).toEqual([
      'src/a/one.ts imports src/b/three.ts, which src/a may not',
      'src/b/c/four.ts imports src/b/three.ts, which src/b/c may not',
      'src/d/five.ts is in no folder of the table',
    ]);
  });

  test('a folder whose name only begins like an allowed one', () => {
    expect(forbiddenImports(new Map([['src/b/x.ts', ['src/abc/y.ts']]]), table)).toHaveLength(1);
  });

  test('a circle, wherever it begins', () => {
    const imports = new Map([
      ['src/a/one.ts', ['src/a/two.ts']],
      ['src/a/two.ts', ['src/a/three.ts']],
      ['src/a/three.ts', ['src/a/two.ts']],
    ]);
    expect(findCircle(imports)).toEqual(['src/a/two.ts', 'src/a/three.ts', 'src/a/two.ts']);
    imports.set('src/a/three.ts', []);
    expect(findCircle(imports)).toBeNull();
  });

  test('imports of types, of side effects, over several lines, dynamic ones and re-exports', () => {
    const text = [
      "import type { One } from './one.ts';",
      "import {\n  Two,\n} from '../two.ts';",
      "import './three.ts';",
      "export { Four } from './four.ts';",
      "import { join } from 'node:path';",
      "const five = await import('./five.ts');",
    ].join('\n');
    expect(importsOf('src/a/b/file.ts', text)).toEqual([
      'src/a/b/one.ts',
      'src/a/two.ts',
      'src/a/b/three.ts',
      'src/a/b/four.ts',
      'src/a/b/five.ts',
    ]);
  });
});
