/** From a real topic to the tables by ClickHouse's Kafka engine: nothing lost, nothing doubled, whatever happens. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, startEngine, whyNoEngine } from '../support/chdb/engine.ts';
import { differentIn, firstEvents, seenIn } from '../support/chdb/questions.ts';
import type { FleetEvent } from '../support/fleet-truth/event.ts';
import { packed, produceAll } from '../support/kafka/produce.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { until } from '../support/wait.ts';

const DAY_MS = 86_400_000;
const missing = whyNoEngine('25.8') ?? whyNoKafka();
if (missing) console.warn(`skipped: from Kafka to ClickHouse: ${missing}`);

/** The first events of a fleet that was watched an hour ago. */
const someEvents = (count: number): FleetEvent[] =>
  firstEvents(count, Math.floor(Date.now() / 60_000) * 60_000 - 3 * 3_600_000);

describe.skipIf(missing)('from Kafka to ClickHouse', () => {
  let engine: Engine;
  let broker: Broker;
  beforeAll(async () => {
    [engine, broker] = await Promise.all([startEngine('25.8'), startBroker()]);
  });
  afterAll(async () => {
    await engine?.stop();
    await broker?.stop();
  });

  /** A topic, and tables of its own that read it. A name is used once per attempt: offsets are the group's. */
  let attempt = 0;
  const open = async (name: string, ...options: string[]) => {
    const database = `${name}_${attempt++}`;
    const topic = `topic-${database}`;
    await broker.createTopic(topic, 2);
    const own = ['--database', database, '--brokers', broker.address, '--topic', topic, '--flush-ms', '500'];
    const apply = (...more: string[]): Promise<string> =>
      engine.apply(...own, '--group', database, ...options, ...more);
    await apply();
    const number = async (sql: string): Promise<number> => Number(await engine.value(sql));
    const different = (): Promise<number> => number(differentIn(database));
    const rejected = async (): Promise<Record<string, number>> => {
      const rows = await engine.rows(
        `SELECT reason, toUInt32(count()) AS lines FROM ${database}.rejected FINAL GROUP BY reason`,
      );
      return Object.fromEntries(rows.map(({ reason, lines }) => [reason, lines]));
    };
    const seen = (): Promise<number> => number(seenIn(database));
    /** All of these have arrived, and nothing else. */
    const expectAll = async (count: number): Promise<void> => {
      // The bitmaps are filled behind the events, and later if a view between them fails.
      await until(
        async () => (await different()) >= count && (await seen()) >= count,
        `${count} events in ${database}`,
      );
      expect(await different()).toBe(count);
      expect(await seen()).toBe(count);
    };
    return { database, topic, apply, number, rejected, expectAll };
  };

  it('takes both formats and both compressions, and only the bad line of a message is rejected', async () => {
    const { topic, rejected, expectAll, number, database } = await open('formats');
    const lines = someEvents(2000).map((event) => JSON.stringify(event));
    const [json, jsonZstd, ndjson, ndjsonZstd] = [0, 500, 1000, 1500].map((from) =>
      lines.slice(from, from + 500),
    ) as [string[], string[], string[], string[]];
    const spoilt = (part: readonly string[]): string[] =>
      packed(part).map((message, index) => message.replace('\n', `\nnot JSON ${part[0]?.length} ${index}\n`));
    await produceAll(broker.address, topic, json, 'gzip');
    await produceAll(broker.address, topic, jsonZstd, 'zstd');
    await produceAll(broker.address, topic, spoilt(ndjson), 'gzip');
    await produceAll(broker.address, topic, spoilt(ndjsonZstd), 'zstd');
    await expectAll(2000);
    await until(async () => ((await rejected())['no_json'] ?? 0) >= 10, 'the bad lines');
    expect(await rejected()).toEqual({ no_json: 10 });
    expect(await number(`SELECT countIf(topic = '${topic}') FROM ${database}.rejected FINAL`)).toBe(10);
  });

  it('doubles nothing when the topic is consumed from its beginning again', async () => {
    const { topic, apply, number, database, expectAll } = await open('again');
    const lines = someEvents(1000).map((event) => JSON.stringify(event));
    await produceAll(broker.address, topic, packed(lines), 'zstd');
    await expectAll(1000);
    await apply('--group', `${database}-again`);
    await until(
      async () =>
        (await number(
          `SELECT sum(rows) FROM system.parts WHERE active AND database = '${database}' AND table IN ('events', 'host_status')`,
        )) >= 2000,
      'all of them again',
    ).catch(async () => {
      // Merged in the meantime: then they came again all the same.
      expect(
        await number(
          `SELECT max(level) FROM system.parts WHERE database = '${database}' AND table = 'events'`,
        ),
      ).toBeGreaterThan(0);
    });
    await expectAll(1000);
  });

  it('loses and doubles nothing by a view that throws', async () => {
    const { topic, number, database, expectAll } = await open('throwing');
    const thrown = (): Promise<number> =>
      number("SELECT sum(value) FROM system.errors WHERE name = 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO'");
    const before = await thrown();
    await engine.query(`CREATE TABLE ${database}.other (n UInt64) ENGINE = Null`);
    await engine.query(
      `CREATE MATERIALIZED VIEW ${database}.throwing TO ${database}.other AS SELECT throwIf(ordinal >= 0) AS n FROM ${database}.events`,
    );
    const lines = someEvents(1000).map((event) => JSON.stringify(event));
    await produceAll(broker.address, topic, packed(lines), 'gzip');
    await until(async () => (await thrown()) > before, 'the view to throw');
    await engine.query(`DROP TABLE ${database}.throwing`);
    await expectAll(1000);
  });

  it('puts events of wrong clocks aside, and says so', async () => {
    const { topic, rejected, expectAll } = await open('clocks');
    const lines = someEvents(300).map((event, index) => {
      const year = ['1970', '2200'][index % 3];
      return JSON.stringify(
        year === undefined ? event : { ...event, timestamp: `${year}${event.timestamp.slice(4)}` },
      );
    });
    await produceAll(broker.address, topic, packed(lines), 'zstd');
    await expectAll(100);
    await until(async () => ((await rejected())['time_out_of_range'] ?? 0) >= 200, 'the wrong clocks');
    expect(await rejected()).toEqual({ time_out_of_range: 200 });
  });

  it.each([
    [30, 30],
    [150, 121],
  ])('takes a backlog of 120 days into a table that keeps %i: %i of them', async (ttlDays, kept) => {
    const { topic, rejected, expectAll } = await open('backlog', '--ttl-days', String(ttlDays));
    const events = someEvents(121);
    const lines = events.map((event, days) => {
      const timestamp = new Date(Date.parse(event.timestamp) - days * DAY_MS).toISOString();
      return JSON.stringify({ ...event, timestamp: timestamp.replace('Z', '000000Z') });
    });
    await produceAll(broker.address, topic, [lines.join('\n')], 'gzip');
    await expectAll(kept);
    const old = lines.length - kept;
    await until(async () => ((await rejected())['time_out_of_range'] ?? 0) >= old, 'the older ones');
    expect(await rejected()).toEqual(old > 0 ? { time_out_of_range: old } : {});
  });

  it('loses and doubles nothing while queue and views are made anew and producers write', async () => {
    const { topic, apply, number, expectAll, database } = await open('changing');
    const messages = packed(someEvents(6000).map((event) => JSON.stringify(event)));
    const queues = new Set<string>();
    const rounds = 4;
    const size = messages.length / rounds;
    for (let round = 0; round < rounds; round++) {
      const own = messages.slice(round * size, (round + 1) * size);
      const produce = async (): Promise<void> => {
        for (const message of own) await produceAll(broker.address, topic, [message], 'zstd');
      };
      // Another time of grace changes views, another time of flushing the queue.
      await Promise.all([
        produce(),
        apply('--flush-ms', String(501 + round), '--grace-s', String(200 + round)),
      ]);
      queues.add(
        await engine.value(
          `SELECT toString(uuid) FROM system.tables WHERE database = '${database}' AND name = 'queue'`,
        ),
      );
    }
    await expectAll(6000);
    expect(queues.size).toBe(rounds);
    expect(await number(`SELECT count() FROM ${database}.rejected`)).toBe(0);
  });
});
