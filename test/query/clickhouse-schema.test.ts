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
import {
  CLICKHOUSE,
  type Engine,
  type EngineVersion,
  startEngine,
  whyNoEngine,
} from '../support/chdb/engine.ts';
import { clickhouseTime } from '../support/chdb/questions.ts';
import { fullEvent, fullEvents } from '../support/sample-events.ts';

const run = promisify(execFile);
const NOW = new Date().toISOString();
const missing = whyNoEngine('26.9') ?? whyNoEngine('25.8');
if (missing) console.warn(`skipped: ClickHouse: ${missing}`);

/** Of now, so that it is in the range of time that is kept. */
const event = (changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => ({
  ...fullEvent('tcp_life'),
  timestamp: NOW.replace('Z', '000000Z'),
  ...changes,
});

/** With an identifier that fits. */
const withId = (changes: Readonly<Record<string, unknown>>): string => {
  const one = event(changes);
  return JSON.stringify({
    ...one,
    event_id: changes['event_id'] ?? `${one['boot_id']}-00c0ffee-${one['cpu']}-7`,
  });
};

async function insert(engine: Engine, lines: readonly string[], database = 'ktc'): Promise<void> {
  const path = join(engine.directory, 'lines.ndjson');
  writeFileSync(path, `${lines.join('\n')}\n`);
  await engine.load(path, database);
}

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
      await insert(engine, [withId({})], 'past');
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

  it.each([
    [['--ttl-days', 'many'], 64, 'whole number'],
    [['--database', 'a-b'], 64, 'no plain name'],
    [['--bogus', '1'], 64, 'unknown option'],
    [['--url', 'http://127.0.0.1:1/'], 69, 'cannot be reached'],
  ])('are not made with %j', async (options, code, text) => {
    const refused = engineOf('26.9')
      .apply(...options)
      .catch((error: unknown) => error);
    expect(await refused).toMatchObject({ code, stderr: expect.stringContaining(text) });
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
        timestamp: NOW.replace('Z', '000000Z'),
        event_id: one.event_id
          .replace(/\d+$/, String(EVENT_KINDS.indexOf(one.event)))
          .replace(/-\d+-(\d+)$/, `-${one.cpu}-$1`),
      }),
    );
    await insert(engine, all, 'kinds');
    expect(await engine.rows('SELECT reason, line FROM kinds.rejected')).toEqual([]);
    const kinds = await engine.rows(
      "SELECT event FROM kinds.events UNION ALL SELECT 'host_status' FROM kinds.host_status",
    );
    expect(kinds.map((row) => row['event']).sort()).toEqual([...EVENT_KINDS].sort());
  });

  it('show an event with its own identifiers', async () => {
    const engine = engineOf('26.9');
    await engine.apply('--database', 'shown');
    const one = event({
      local_address: '10.0.0.1',
      remote_address: '10.0.0.2',
      ip_version: 4,
      local_port: 5000,
      remote_port: 80,
      community_id: '1:NkuQiqqdcSGXk9uhIVJqqFJUZFU=',
    });
    await insert(
      engine,
      [JSON.stringify({ ...one, event_id: `${one['boot_id']}-00c0ffee-${one['cpu']}-42` })],
      'shown',
    );
    const [row] = await engine.rows('SELECT *, event_id, community_id, rack FROM shown.events');
    expect(row).toMatchObject({
      event_id: `${one['boot_id']}-00c0ffee-${one['cpu']}-42`,
      ordinal: 42,
      rack: 'r"07"',
      bytes_sent: 2 ** 53 - 1,
      local_address: '::ffff:10.0.0.1',
    });
  });

  it.each([
    [{ service: 'web' }, 'nginx.service', 'web'],
    [{}, 'nginx.service', 'nginx.service'],
    [{}, null, ''],
  ])('know the service by the labels %j, then by the unit %j', async (labels, unit, service) => {
    const engine = engineOf('26.9');
    const database = `served_${service.replace('.', '_')}`;
    await engine.apply('--database', database);
    await insert(engine, [withId({ labels, unit })], database);
    expect(await engine.value(`SELECT service FROM ${database}.events_named`)).toBe(service);
  });

  const valid = JSON.stringify(event({ event_id: '' }));
  const judged = [
    ['no_json', 'not JSON at all'],
    ['no_json', withId({}).slice(0, -20)],
    ['no_json', '\u0000\u0001'],
    ['schema_version', '{}'],
    ['no_json', '[1,2]'],
    ['schema_version', withId({ schema_version: 2 })],
    ['unknown_event', withId({ event: 'tcp_surprise' })],
    ['id_mismatch', valid],
    ['id_mismatch', withId({ cpu: 'zero' })],
    ['id_mismatch', withId({ event_id: 'other-00c0ffee-1-7' })],
    ['id_mismatch', withId({ host: '' })],
    ['no_time', withId({ timestamp: 'yesterday' })],
    ['time_out_of_range', withId({ timestamp: '1970-01-01T00:00:01.000000000Z' })],
    ['time_out_of_range', withId({ timestamp: '2200-01-01T00:00:00.000000000Z' })],
    ['impossible_value', withId({ duration_us: -5 })],
    ['impossible_value', withId({ duration_us: 1.5 })],
    ['impossible_value', withId({ bytes_sent: 'many' })],
    ['impossible_value', withId({ bytes_sent: 1e30 })],
    ['impossible_value', withId({ remote_port: 70_000 })],
    ['impossible_value', withId({ remote_address: '10.0.0.256' })],
  ] as const;
  it('reject what is no valid event, each line with its reason, and only that', async () => {
    const engine = engineOf('26.9');
    await engine.apply('--database', 'judged');
    const good = withId({ labels: { pid: 'a label', cpu: '-1' } });
    const lines = judged.map(([, line]) => line);
    await insert(engine, [good, ...lines, '', ...lines, good], 'judged');
    const rows = await engine.rows('SELECT line, reason FROM judged.rejected FINAL');
    const found = new Map(rows.map(({ line, reason }) => [line, reason]));
    expect(judged.map(([, line]) => [found.get(line), line])).toEqual(judged);
    expect(rows.length).toBe(judged.length);
    expect(await engine.value('SELECT count() FROM judged.events FINAL')).toBe('1');
  });

  it('take rejected lines again when the reason is gone', async () => {
    const engine = engineOf('26.9');
    const database = 'replayed';
    const old = withId({
      timestamp: new Date(Date.now() - 20 * 86_400_000).toISOString().replace('Z', '000000Z'),
    });
    await engine.apply('--database', database, '--ttl-days', '10');
    await insert(engine, [old, 'never valid'], database);
    await engine.apply('--database', database, '--ttl-days', '30');
    const text = readFileSync(join(CLICKHOUSE, 'replay-rejected.sql'), 'utf8').replaceAll(/^--.*\n/gm, '');
    for (const reason of ['time_out_of_range', 'no_json']) {
      const until = clickhouseTime(Date.now() - 1);
      for (const statement of text.split(';').filter((part) => part.trim() !== ''))
        await engine.query(statement, { reason, until }, { database });
    }
    expect(await engine.value(`SELECT count() FROM ${database}.events`)).toBe('1');
    expect(await engine.rows(`SELECT reason, line FROM ${database}.rejected FINAL`)).toEqual([
      { reason: 'no_json', line: 'never valid' },
    ]);
  });

  it('lose no line while their views are changed: an INSERT without readers fails', async () => {
    const engine = engineOf('26.9');
    await engine.apply('--database', 'unread');
    await engine.query('DROP TABLE unread.parse');
    await expect(insert(engine, [withId({})], 'unread')).rejects.toThrow();
    await engine.apply('--database', 'unread');
    await insert(engine, [withId({})], 'unread');
    expect(await engine.value('SELECT count() FROM unread.events')).toBe('1');
  });

  it('keep sums that repeats do not double, that late events reach, and that lose what is gone', async () => {
    const engine = engineOf('26.9');
    const database = 'summed';
    await engine.apply('--database', database);
    const refresh = async (): Promise<unknown[]> => {
      for (const view of ['peer_traffic_refresh', 'service_traffic_refresh']) {
        await engine.query(`SYSTEM REFRESH VIEW ${database}.${view}`);
        await engine.query(`SYSTEM WAIT VIEW ${database}.${view}`);
      }
      const peers = await engine.rows(
        `SELECT toString(remote_address) AS peer, lives FROM ${database}.peer_traffic ORDER BY peer`,
      );
      const [all] = await engine.rows(`SELECT sum(lives) AS lives FROM ${database}.service_traffic`);
      return [...peers, all];
    };
    const lines = ['2001:db8::a', '2001:db8::b'].map((remote_address, ordinal) => {
      const one = event({ remote_address });
      return JSON.stringify({ ...one, event_id: `${one['boot_id']}-00c0ffee-${one['cpu']}-${ordinal}` });
    });
    const both = [{ peer: '2001:db8::a', lives: 1 }, { peer: '2001:db8::b', lives: 1 }, { lives: 2 }];
    await insert(engine, lines.slice(0, 1), database);
    expect(await refresh()).toEqual([both[0], { lives: 1 }]);
    await insert(engine, [...lines, ...lines], database);
    expect(await refresh()).toEqual(both);
    await engine.query(`DELETE FROM ${database}.events WHERE remote_address = toIPv6('2001:db8::a')`);
    expect(await refresh()).toEqual([both[1], { lives: 1 }]);
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
