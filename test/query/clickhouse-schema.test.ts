/** The tables of query/clickhouse on real engines: made, changed, repeatable; what they take, reject and replay. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Field } from '../../src/event/field.ts';
import { FIELDS } from '../../src/event/fields.ts';
import { EVENT_KINDS } from '../../src/event/kinds.ts';
import { definitions } from '../support/chdb/definitions.ts';
import { type Engine, type EngineVersion, startEngine, whyNoEngine } from '../support/chdb/engine.ts';
import { CLICKHOUSE } from '../support/chdb/http.ts';
import { insertLines, NOW, sampleLine } from '../support/chdb/sample-lines.ts';
import { fullEvents } from '../support/sample-events.ts';

const run = promisify(execFile);
const missing = whyNoEngine('26.9') ?? whyNoEngine('25.8');
if (missing) console.warn(`skipped: ClickHouse: ${missing}`);
/** As a server wants parameters: escaped as in TabSeparated. */
const escaped = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\t', '\\t');

describe.skipIf(missing)('the tables', () => {
  const engines: Partial<Record<EngineVersion, Engine>> = {};
  const engineOf = (version: EngineVersion): Engine => {
    const engine = engines[version];
    if (engine === undefined) throw new Error(`engine ${version} has not started`);
    return engine;
  };
  beforeAll(async () => {
    for (const version of ['26.9', '25.8'] as const) {
      engines[version] = await startEngine(version);
      await engineOf(version).apply();
    }
  });
  afterAll(async () => {
    for (const engine of Object.values(engines)) await engine.stop();
  });

  it.each(['26.9', '25.8'] as const)(
    'are made once by engine %s, and a second run changes nothing',
    async (version) => {
      const engine = engineOf(version);
      const before = await definitions(engine);
      expect(Object.keys(before)).toContain('events_named');
      expect(await engine.apply('--print')).toBe('CREATE DATABASE IF NOT EXISTS `ktc` ;\n\n');
      await engine.apply();
      expect(await definitions(engine)).toEqual(before);
    },
  );

  it.each(['26.9', '25.8'] as const)(
    'of an earlier version become equal to new ones on engine %s, twice',
    async (version) => {
      const engine = engineOf(version);
      await engine.apply('--database', 'fresh');
      await engine.apply('--database', 'past', '--ttl-days', '7', '--proof-days', '90');
      await insertLines(engine, [sampleLine({})], 'past');
      const earlier = [
        'ALTER TABLE past.events DROP INDEX connection',
        'ALTER TABLE past.events DROP COLUMN container_id',
        'ALTER TABLE past.events DROP COLUMN owner',
        'ALTER TABLE past.events MODIFY COLUMN kernel String',
        'ALTER TABLE past.host_status DROP COLUMN netns',
        'ALTER TABLE past.seen MODIFY SETTING ttl_only_drop_parts = 0',
        'ALTER TABLE past.peer_traffic_runs DROP PROJECTION last_runs',
      ];
      for (const statement of earlier) await engine.query(statement);
      await engine.query('DROP TABLE past.events_named');
      await engine.query(
        `CREATE VIEW past.old AS SELECT 1 AS one WHERE one = 1 COMMENT 'ktc ${'0'.repeat(64)}'`,
      );
      for (const _ of [1, 2]) {
        await engine.apply('--database', 'past');
        const [past, fresh] = [await definitions(engine, 'past'), await definitions(engine, 'fresh')];
        expect(past).toEqual(fresh);
      }
      expect(await engine.value('SELECT count() FROM past.events')).toBe('1');
    },
  );

  it('refuse another key before anything is changed, and say what to do', async () => {
    const engine = engineOf('26.9');
    await engine.apply('--database', 'keyed');
    const before = await definitions(engine, 'keyed');
    const refused = engine.apply('--database', 'keyed', '--ttl-days', '365').catch((error: unknown) => error);
    expect(await refused).toMatchObject({
      code: 78,
      stderr: expect.stringContaining(
        'partition key is "toDate(timestamp)" and cannot become "toMonday(timestamp)"',
      ),
    });
    expect(await definitions(engine, 'keyed')).toEqual(before);
    expect(await engine.value("SELECT count() FROM system.databases WHERE name LIKE '%wanted'")).toBe('0');
  });

  it('are changed by one apply.sh at a time: the others wait', async () => {
    const engine = engineOf('26.9');
    const apply = (graceS: number) => engine.apply('--database', 'shared', '--grace-s', String(graceS));
    await Promise.all([apply(180), apply(200), apply(220)]);
    await apply(180);
    expect(await definitions(engine, 'shared')).toEqual(await definitions(engine));
    expect(await engine.value("SELECT count() FROM system.databases WHERE name LIKE '%wanted'")).toBe('0');
  });

  it('are left alone while another apply.sh is at work, and the user is told whose turn it is', async () => {
    const engine = engineOf('26.9');
    await engine.query("CREATE DATABASE busy__wanted COMMENT 'apply.sh of process 1 on ch1'");
    const apply = () => engine.apply('--database', 'busy', '--wait-s', '1');
    const refused = await apply().catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 75,
      stderr: expect.stringContaining('apply.sh of process 1 on ch1 is at work on busy'),
    });
    const [, way = ''] = /: (DROP DATABASE .*), and run/.exec(String((refused as Error).message)) ?? [];
    expect(await engine.value("SELECT count() FROM system.databases WHERE name = 'busy'")).toBe('0');
    await engine.query(way);
    await apply();
  });

  it('that were changed by half lose no line, and the next run completes them', async () => {
    const engine = engineOf('26.9');
    const counter = join(engine.directory, 'statements');
    const client = join(engine.directory, 'client-that-ends');
    // Runs so many statements, and none after them.
    writeFileSync(
      client,
      `#!/bin/sh
count=$(($(cat ${counter}) + 1))
echo $count >${counter}
[ $count -le "$LAST" ] || exit 1
exec curl --silent --show-error --fail --data-binary @- ${engine.url}
`,
      { mode: 0o755 },
    );
    const apply = async (last: number, graceS: number): Promise<number> => {
      writeFileSync(counter, '0');
      await run(
        join(CLICKHOUSE, 'apply.sh'),
        ['--client', client, '--database', 'halved', '--grace-s', String(graceS)],
        { env: { ...process.env, LAST: String(last) } },
      );
      return Number(readFileSync(counter, 'utf8'));
    };
    await apply(1000, 100);
    // Another time of grace makes all views anew.
    const all = await apply(1000, 101);
    let taken = 0;
    for (const [round, part] of [0.3, 0.55, 0.65, 0.75].entries()) {
      await expect(apply(Math.floor(all * part), 200 + round)).rejects.toMatchObject({ code: 69 });
      await engine.query('DROP DATABASE halved__wanted');
      const line = sampleLine({ host: `host${round}` });
      await insertLines(engine, [line], 'halved').then(
        () => taken++,
        () => undefined,
      );
    }
    // Some found the way in as it was, others none.
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(4);
    await apply(1000, 180);
    expect(await definitions(engine, 'halved')).toEqual(await definitions(engine));
    expect(await engine.value('SELECT count() FROM halved.events FINAL')).toBe(String(taken));
  });

  it.each([
    [['--ttl-days', 'many'], 64, 'whole number'],
    [['--database', 'a-b'], 64, 'no plain name'],
    [['--bogus', '1'], 64, 'unknown option'],
    [['--brokers'], 64, 'its value is missing'],
    [['--url', 'http://127.0.0.1:1/'], 69, 'cannot be reached'],
  ])('are not made with %j', async (options, code, text) => {
    const refused = engineOf('26.9')
      .apply(...options)
      .catch((error: unknown) => error);
    expect(await refused).toMatchObject({ code, stderr: expect.stringContaining(text) });
  });

  it.each([
    ['24.8.14.39', 'ClickHouse 24.8.14.39 is too old: 25.8'],
    ['<html>', 'no ClickHouse answers'],
  ])('are not made where the version is %s', async (version, text) => {
    const client = join(engineOf('26.9').directory, 'other-client');
    writeFileSync(client, `#!/bin/sh\necho '${version}'\n`, { mode: 0o755 });
    const refused = run(join(CLICKHOUSE, 'apply.sh'), ['--client', client]).catch((error: unknown) => error);
    expect(await refused).toMatchObject({ code: 69, stderr: expect.stringContaining(text) });
  });

  it('are made by a client that reads statements from standard input', async () => {
    const engine = engineOf('26.9');
    const client = join(engine.directory, 'client');
    writeFileSync(
      client,
      `#!/bin/sh\nexec curl --silent --show-error --fail --data-binary @- ${engine.url}\n`,
      {
        mode: 0o755,
      },
    );
    await run(join(CLICKHOUSE, 'apply.sh'), ['--client', client, '--database', 'by_client']);
    expect(Object.keys(await definitions(engine, 'by_client'))).toEqual(
      Object.keys(await definitions(engine)),
    );
  });

  it('of a cluster are statements that the engine can read', async () => {
    const engine = engineOf('26.9');
    const text = await engine.apply(
      '--database',
      'clustered',
      '--cluster',
      'all',
      '--brokers',
      'kafka:9092',
      '--print',
    );
    const statements = text.split(';\n\n').filter((statement) => statement.trim() !== '');
    expect(statements.length).toBeGreaterThan(30);
    for (const statement of statements) {
      expect(await engine.value('SELECT formatQuery({text:String})', { text: escaped(statement) })).toContain(
        'ON CLUSTER ',
      );
    }
    expect(text).toContain('ReplicatedReplacingMergeTree');
    expect(text).toContain("ENGINE = Distributed('all', 'clustered', 'events_local', cityHash64(host))");
    expect(text).not.toMatch(/@[a-z]/);
  });

  it('of a cluster come with a warning where the server has too few threads to start again', async () => {
    const { url, value } = engineOf('25.8');
    const setting = "SELECT value FROM system.server_settings WHERE name = 'background_schedule_pool_size'";
    const threads = await value(setting);
    expect(Number(threads)).toBeLessThan(16);
    const warnings = async (...options: string[]): Promise<string> =>
      (await run(join(CLICKHOUSE, 'apply.sh'), ['--url', url, '--print', ...options])).stderr;
    expect(await warnings('--database', 'clustered', '--cluster', 'all')).toMatch(
      new RegExp(`^apply.sh: warning: background_schedule_pool_size is ${threads} .*\n$`),
    );
    expect(await warnings()).toBe('');
  });

  it('have a column for every field, and take every kind', async () => {
    const engine = engineOf('26.9');
    const columns = async (table: string): Promise<Set<unknown>> =>
      new Set(
        (
          await engine.rows(`SELECT name FROM system.columns WHERE database = 'ktc' AND table = '${table}'`)
        ).map((row) => row['name']),
      );
    const [events, statuses] = [await columns('events'), await columns('host_status')];
    const lacking = FIELDS.filter(({ name, on }: Field) => {
      if (name === 'schema_version') return false;
      const ofStatus = on.some((kind) => kind === 'host_status');
      const ofOthers = on.some((kind) => kind !== 'host_status');
      return (ofStatus && name !== 'event' && !statuses.has(name)) || (ofOthers && !events.has(name));
    });
    expect(lacking.map(({ name }) => name)).toEqual([]);

    await engine.apply('--database', 'kinds');
    const all = fullEvents.map((one) =>
      JSON.stringify({
        ...one,
        timestamp: NOW,
        event_id: one.event_id
          .replace(/\d+$/, String(EVENT_KINDS.indexOf(one.event)))
          .replace(/-\d+-(\d+)$/, `-${one.cpu}-$1`),
      }),
    );
    await insertLines(engine, all, 'kinds');
    expect(await engine.rows('SELECT reason, line FROM kinds.rejected')).toEqual([]);
    const kinds = await engine.rows(
      "SELECT event FROM kinds.events UNION ALL SELECT 'host_status' FROM kinds.host_status",
    );
    expect(kinds.map((row) => row['event']).sort()).toEqual([...EVENT_KINDS].sort());
  });
  it('lose no line while their views are changed: an INSERT without readers fails', async () => {
    const engine = engineOf('26.9');
    await engine.apply('--database', 'unread');
    await engine.query('DROP TABLE unread.parse');
    await expect(insertLines(engine, [sampleLine({})], 'unread')).rejects.toThrow();
    await engine.apply('--database', 'unread');
    await insertLines(engine, [sampleLine({})], 'unread');
    expect(await engine.value('SELECT count() FROM unread.events')).toBe('1');
  });

  it('are in files that hold one statement each, under the name of what they make', () => {
    for (const file of readdirSync(join(CLICKHOUSE, 'schema'))) {
      const text = readFileSync(join(CLICKHOUSE, 'schema', file), 'utf8').replaceAll(/^--.*\n/gm, '');
      const name = file.replace(/^\d\d-/, '').replace('.sql', '');
      expect(text).toMatch(
        new RegExp(
          `^CREATE (TABLE|VIEW|MATERIALIZED VIEW|DICTIONARY) @database\\.${name}(@local)? @on_cluster`,
        ),
      );
      expect(text).not.toContain(';');
    }
  });
});
