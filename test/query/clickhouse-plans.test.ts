/** How much each question of query/clickhouse reads: a question about minutes does not read months. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, startEngine, whyNoEngine } from '../support/chdb/engine.ts';
import { KEEP_ALL } from '../support/chdb/http.ts';
import {
  clickhouseTime,
  type LoadedFleet,
  loadFleet,
  parametersOf,
  questions,
} from '../support/chdb/questions.ts';
import { FLEET_START_MS } from '../support/fleet-truth/fleet.ts';

const EVENTS = 20_000;
/** The same two hours also so many days earlier. */
const EARLIER_DAYS = [7, 35, 70];
const missing = whyNoEngine('26.9');
if (missing) console.warn(`skipped: the plans of questions to ClickHouse: ${missing}`);

/** Tables that a plan reads, with the granules that its last index leaves. */
const readsOf = (plan: string): { readonly table: string; readonly granules: number }[] =>
  plan
    .split('ReadFromMergeTree')
    .slice(1)
    .map((part) => ({
      table: /^ \(\w+\.(\w+)\)/.exec(part)?.[1] ?? '',
      granules: Number([...part.matchAll(/Granules: (\d+)\/\d+/g)].at(-1)?.[1]),
    }));

describe.skipIf(missing)('a question about five minutes of months', () => {
  let engine: Engine;
  let fleet: LoadedFleet;
  /** Granules of each table. */
  let sizes: Map<string, number>;

  beforeAll(async () => {
    engine = await startEngine('26.9');
    await engine.apply(...KEEP_ALL);
    fleet = await loadFleet(engine, { events: EVENTS, startMs: FLEET_START_MS }, { keep: false });
    const since = clickhouseTime(FLEET_START_MS).slice(0, 19);
    for (const days of EARLIER_DAYS) {
      for (const [table, time] of [
        ['events', 'timestamp'],
        ['host_status', 'timestamp'],
        ['peer_traffic_runs', 'bucket'],
        ['service_traffic_runs', 'bucket'],
      ] as const) {
        await engine.query(
          `INSERT INTO ktc.${table} SELECT * REPLACE (${time} - INTERVAL ${days} DAY AS ${time}) FROM (SELECT * FROM ktc.${table} WHERE ${time} >= '${since}')`,
        );
      }
    }
    await engine.query("INSERT INTO ktc.lines (line) VALUES ('no event')");
    const rows = await engine.rows(
      "SELECT table, toUInt32(sum(marks - 1)) AS granules FROM system.parts WHERE active AND database = 'ktc' GROUP BY table",
    );
    sizes = new Map(rows.map(({ table, granules }) => [String(table), Number(granules)]));
  });
  afterAll(() => engine?.stop());

  it.each(questions())('$name reads a part of each table, or says why not', async (question) => {
    const [from, to] = [60, 65].map((minute) => clickhouseTime(FLEET_START_MS + minute * 60_000));
    const parameters = { ...parametersOf(question, fleet), from: from ?? '', to: to ?? '' };
    const plan = await engine.query(`EXPLAIN indexes = 1 ${question.sql}`, parameters, {
      ...{ database: 'ktc', default_format: 'TSVRaw' },
    });
    const reads = readsOf(plan);
    expect(reads.length, plan).toBeGreaterThan(0);
    const whole = reads.filter(({ table, granules }) => granules > Math.max(1, (sizes.get(table) ?? 0) / 2));
    const told = /^-- Cost: (\w+) is read as a whole/m.exec(question.sql)?.[1];
    expect([...new Set(whole.map(({ table }) => table))], plan).toEqual(told === undefined ? [] : [told]);
  });
});
