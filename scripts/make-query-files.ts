/** Writes the generated files of query/. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GENERATED as ELASTICSEARCH } from '../query/elasticsearch/source/files.ts';
import { GENERATED as GRAFANA } from '../query/grafana/source/files.ts';

for (const [folder, files] of Object.entries({ elasticsearch: ELASTICSEARCH, grafana: GRAFANA })) {
  const root = join(import.meta.dirname, '../query', folder, 'generated');
  rmSync(root, { recursive: true, force: true });
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}
