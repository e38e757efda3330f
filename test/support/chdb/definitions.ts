/** What the engine has understood of everything that is there: two databases are equal when this is. */
import type { ClickHouse } from './http.ts';

/** The statements that would make each table, by name, without the name of the database and the hashes of texts. */
export async function definitions(engine: ClickHouse, database = 'ktc'): Promise<Record<string, string>> {
  const rows = await engine.rows(
    `SELECT name, create_table_query AS text FROM system.tables WHERE database = '${database}'`,
  );
  const neutral = (text: unknown): string =>
    String(text)
      .replaceAll(/'ktc [0-9a-f]{64}'/g, "''")
      .replaceAll(new RegExp(`\\b${database}\\b`, 'g'), 'DATABASE')
      // They stand in the order in which they were set.
      .replace(/(?<= SETTINGS )[^()]*$/, (settings) => settings.split(', ').sort().join(', '));
  return Object.fromEntries(rows.map(({ name, text }) => [name, neutral(text)]));
}
