/** Writes the generated files of query/. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GENERATED } from '../query/elasticsearch/source/files.ts';

const root = join(import.meta.dirname, '../query/elasticsearch/generated');
rmSync(root, { recursive: true, force: true });
for (const [path, content] of Object.entries(GENERATED)) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}
