/**
 * Databases as earlier versions have left them (fixtures/, a folder each) become those of this version while events come in:
 * nothing is lost, nothing doubled, and what was there stays. A change of the schema that has been released adds a folder:
 * what the apply.sh of before it prints for an empty server, and lines of its time.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { definitions } from '../support/chdb/definitions.ts';
import { type Engine, startEngine, whyNoEngine } from '../support/chdb/engine.ts';
import { KEEP_ALL } from '../support/chdb/http.ts';
import { differentIn, firstEvents } from '../support/chdb/questions.ts';
import { insertLines } from '../support/chdb/sample-lines.ts';
import { FLEET_START_MS } from '../support/fleet-truth/fleet.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');
const LINES = 2000;
const LINES_PER_INSERT = 100;
const missing = whyNoEngine('26.9') ?? whyNoEngine('25.8');
if (missing) console.warn(`skipped: ClickHouse of earlier versions: ${missing}`);

describe.skipIf(missing)('a database of an earlier version', () => {
  let engine: Engine;
  afterEach(() => engine?.stop());

  /** As a shipper does: what is refused is sent again. Gives how often it was. */
  async function produce(lines: readonly string[]): Promise<number> {
    let refusals = 0;
    for (let at = 0; at < lines.length; at += LINES_PER_INSERT) {
      const batch = lines.slice(at, at + LINES_PER_INSERT);
      while (
        !(await insertLines(engine, batch).then(
          () => true,
          () => false,
        ))
      )
        refusals++;
    }
    return refusals;
  }

  const cases = readdirSync(FIXTURES).flatMap((past) =>
    (['26.9', '25.8'] as const).map((version) => [past, version] as const),
  );
  it.each(cases)(
    '%s becomes that of today, twice, while events are written, on engine %s',
    async (past, version) => {
      engine = await startEngine(version);
      const statements = readFileSync(join(FIXTURES, past, 'schema.sql'), 'utf8').replaceAll(/^--.*\n/gm, '');
      for (const statement of statements.split(';\n').filter((part) => part.trim() !== ''))
        await engine.query(statement);
      const old = readFileSync(join(FIXTURES, past, 'lines.ndjson'), 'utf8')
        .split('\n')
        .filter(Boolean);
      await insertLines(engine, old);
      const number = async (sql: string): Promise<number> => Number(await engine.value(sql));
      const rejected = await number('SELECT count() FROM rejected FINAL');
      expect(rejected).toBeGreaterThan(0);

      const lines = firstEvents(LINES, FLEET_START_MS).map((event) => JSON.stringify(event));
      const first = produce(lines.slice(0, LINES / 2));
      // The options of the apply.sh that made the fixtures.
      await engine.apply(...KEEP_ALL);
      await first;
      await Promise.all([produce(lines.slice(LINES / 2)), engine.apply(...KEEP_ALL)]);

      await engine.apply('--database', 'fresh', ...KEEP_ALL);
      expect(await definitions(engine)).toEqual(await definitions(engine, 'fresh'));
      expect(await engine.apply(...KEEP_ALL, '--print')).toBe('CREATE DATABASE IF NOT EXISTS `ktc` ;\n\n');
      const valid = lines.length + old.length - rejected;
      expect(await number(differentIn('ktc'))).toBe(valid);
      expect(
        await number(
          'SELECT sum(n) FROM (SELECT groupBitmapMerge(ordinals) AS n FROM seen GROUP BY host, boot_id, session, cpu)',
        ),
      ).toBe(valid);
      expect(await number('SELECT count() FROM rejected FINAL')).toBe(rejected);
    },
  );
});
