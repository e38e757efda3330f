/** Writes the tables of docs/ that come from tables in the code. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DOC_TABLES, placeTable } from './doc-tables.ts';

for (const table of DOC_TABLES) {
  const path = join(import.meta.dirname, '../docs', table.page);
  writeFileSync(path, placeTable(readFileSync(path, 'utf8'), table));
}
