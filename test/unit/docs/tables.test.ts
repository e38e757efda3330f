import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DOC_TABLES, placeTable } from '../../../scripts/doc-tables.ts';

describe('tables of the documentation that come from the code (make docs)', () => {
  test.each(DOC_TABLES)('docs/$page has the table $name as it is', (table) => {
    const page = readFileSync(join(import.meta.dirname, '../../../docs', table.page), 'utf8');
    expect(placeTable(page, table)).toBe(page);
  });

  test('a page without a place for a table is refused', () => {
    expect(() => placeTable('# Page\n', { name: 'lost', text: '' })).toThrow('no place for the table lost');
  });
});
