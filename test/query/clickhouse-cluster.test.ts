/** The tables of a cluster on real servers, two shards of two replicas with a ZooKeeper: nothing lost, nothing doubled, every answer true. */
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CLUSTER,
  type ClickHouseCluster,
  type Node,
  SHARDS,
  startCluster,
  whyNoCluster,
} from '../support/chdb/cluster.ts';
import { definitions } from '../support/chdb/definitions.ts';
import { AS_NUMBERS, KEEP_ALL } from '../support/chdb/http.ts';
import {
  differentIn,
  firstEvents,
  isOfFleet,
  type LoadedFleet,
  parametersOf,
  questions,
  refreshSums,
  seenIn,
} from '../support/chdb/questions.ts';
import { sampleLine } from '../support/chdb/sample-lines.ts';
import type { FleetEvent } from '../support/fleet-truth/event.ts';
import { createFleet, FLEET_START_MS } from '../support/fleet-truth/fleet.ts';
import { packed, produceAll } from '../support/kafka/produce.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { until } from '../support/wait.ts';
import { expectedAnswers } from './expected/answers.ts';
import { expectSame } from './expected/compare.ts';
import type { Truth } from './expected/facts.ts';
import { fleetFacts } from './expected/fleet.ts';

const EVENTS = 20_000;
const LINES_PER_INSERT = 5000;
/** Of the topic. */
const READ_EVENTS = 8000;
const missing = whyNoCluster() ?? whyNoKafka();
if (missing) console.warn(`skipped: the tables of a cluster: ${missing}`);

describe.skipIf(missing)('a cluster of ClickHouse', () => {
  let cluster: ClickHouseCluster;
  let broker: Broker;
  let fleet: LoadedFleet;
  let truths: Readonly<Record<string, Truth>>;
  /** A database is used once. */
  let attempt = 0;

  const node = (index: number): Node => cluster.nodes[index % cluster.nodes.length] as Node;
  const apply = (by: number, ...options: string[]) =>
    node(by).apply('--cluster', CLUSTER, ...KEEP_ALL, ...options);
  const insert = (by: number, lines: readonly string[], database = 'ktc'): Promise<string> =>
    node(by).query(
      `INSERT INTO ${database}.lines (line) FORMAT LineAsString\n${lines.join('\n')}`,
      {},
      { distributed_foreground_insert: '1' },
    );
  /** The number that each node answers. */
  const numbers = (sql: string): Promise<number[]> =>
    Promise.all(cluster.nodes.map(async (one) => Number(await one.value(sql))));
  const everywhere = (count: number): number[] => cluster.nodes.map(() => count);
  /** Until both replicas of a shard have what either of them had before. A query asks any of them. */
  const sync = async (database = 'ktc'): Promise<void> => {
    const replicated = `SELECT table FROM system.replicas WHERE database = '${database}'`;
    for (const { table } of await node(0).rows(replicated))
      await Promise.all(cluster.nodes.map((one) => one.query(`SYSTEM SYNC REPLICA ${database}.${table}`)));
  };

  beforeAll(async () => {
    [cluster, broker] = await Promise.all([startCluster(), startBroker()]);
    await apply(0);
    const made = createFleet({ events: EVENTS, startMs: FLEET_START_MS });
    const deliveries = [...made.deliveries()];
    const lines = deliveries.map(({ event }) => JSON.stringify(event));
    // All of them come twice, each time by another node.
    for (const shift of [0, 1])
      for (let part = 0; part * LINES_PER_INSERT < lines.length; part++)
        await insert(part + shift, lines.slice(part * LINES_PER_INSERT, (part + 1) * LINES_PER_INSERT));
    const events = deliveries.flatMap(({ event, isRepeat }): FleetEvent[] => (isRepeat ? [] : [event]));
    fleet = { ...made, events };
    truths = expectedAnswers(fleetFacts(fleet));
    await sync();
    await refreshSums(node(3), 'ktc');
    await sync();
  });
  afterAll(async () => {
    await cluster?.stop();
    await broker?.stop();
  });

  it('has the same tables on every node, and a second run of apply.sh changes nothing', async () => {
    const all = await Promise.all(cluster.nodes.map((one) => definitions(one)));
    expect(Object.keys(all[0] ?? {})).toContain('events_local');
    for (const own of all) expect(own).toEqual(all[0]);
    expect(await apply(3, '--print')).toBe(
      `CREATE DATABASE IF NOT EXISTS \`ktc\` ON CLUSTER '${CLUSTER}';\n\n`,
    );
    await apply(3);
    expect(await Promise.all(cluster.nodes.map((one) => definitions(one)))).toEqual(all);
  });

  it('has each event once, all of a host on one shard, and on both replicas', async () => {
    expect(await numbers(differentIn('ktc'))).toEqual(everywhere(fleet.truth().delivered));
    expect(
      await node(0).rows(
        'SELECT shards, toUInt32(count()) > 0 AS has_hosts FROM (SELECT host, groupUniqArray(_shard_num) AS shards FROM events GROUP BY host) GROUP BY shards ORDER BY shards',
      ),
    ).toEqual(Array.from({ length: SHARDS }, (_, index) => ({ shards: [index + 1], has_hosts: 1 })));
    const [first, second, third, fourth] = await numbers('SELECT count() FROM ktc.events_local FINAL');
    expect([second, fourth]).toEqual([first, third]);
  });

  it.each(questions().filter(isOfFleet))('$name', async (question) => {
    const parameters = parametersOf(question, fleet);
    const settings = { ...AS_NUMBERS, distributed_product_mode: 'global' };
    expectSame(
      await node(3).rows(question.sql, parameters, settings),
      truths[question.name]?.(parameters) ?? [],
    );
  });

  it('changes tables of an earlier version, the distributed ones too', async () => {
    const database = `past_${attempt++}`;
    await apply(0, '--database', database);
    const alter = (table: string, change: string): Promise<string> =>
      node(0).query(`ALTER TABLE ${database}.${table} ON CLUSTER '${CLUSTER}' ${change}`);
    await alter('events_local', 'DROP INDEX connection');
    for (const table of ['events_local', 'events']) {
      await alter(table, 'DROP COLUMN community_id');
      await alter(table, 'DROP COLUMN container_id');
      await alter(table, 'MODIFY COLUMN local_port UInt16');
    }
    await apply(1, '--database', database);
    for (const one of cluster.nodes) expect(await definitions(one, database)).toEqual(await definitions(one));
    await insert(2, [sampleLine({ local_port: null })], database);
    await sync(database);
    expect(await node(1).rows(`SELECT local_port, container_id FROM ${database}.events`)).toEqual([
      { local_port: null, container_id: expect.any(String) },
    ]);
  });

  it('forgets rejected lines that were taken again', async () => {
    await insert(0, ['never valid']);
    const rejected = (): Promise<number[]> => numbers('SELECT count() FROM ktc.rejected FINAL');
    await until(async () => isDeepStrictEqual(await rejected(), everywhere(1)), 'the line on both replicas');
    await node(0).query(
      `DELETE FROM ktc.rejected_local ON CLUSTER '${CLUSTER}' WHERE reason = 'no_json' AND received_at <= '2099-01-01 00:00:00'`,
    );
    await until(async () => isDeepStrictEqual(await rejected(), everywhere(0)), 'no line on both replicas');
  });

  it('loses and doubles nothing when a replica is killed while it reads the topic, and answers when it is back', async () => {
    const database = `killed_${attempt++}`;
    const queue = ['--brokers', broker.address, '--topic', database, '--group', database];
    await broker.createTopic(database, 2 * cluster.nodes.length);
    await apply(0, '--database', database, ...queue, '--flush-ms', '500');
    const messages = packed(firstEvents(READ_EVENTS, FLEET_START_MS).map((event) => JSON.stringify(event)));
    const produce = async (part: readonly string[]): Promise<void> => {
      for (const message of part) await produceAll(broker.address, database, [message], 'zstd');
    };
    const [victim, twin] = [node(3), node(2)];
    const half = messages.length / 2;
    // Without a partition it reads nothing, and what is written is read by the others.
    const partitions = 'length(assignments.partition_id)';
    const messagesRead = 'num_messages_read';
    const untilVictimHas = (figure: string) => {
      const has = `SELECT sum(${figure}) > 0 FROM system.kafka_consumers WHERE database = '${database}'`;
      return until(async () => (await victim.value(has)) === '1', `the replica to have ${figure}`);
    };
    await untilVictimHas(partitions);
    const writing = produce(messages.slice(0, half));
    await untilVictimHas(messagesRead);
    await victim.kill();
    await writing;
    const different = differentIn(database);
    await until(async () => Number(await twin.value(different)) > 0, 'answers of the other replica');

    await victim.start();
    // Answered once all tables have started.
    expect(Number(await victim.value('SELECT sum(total_rows) FROM system.tables'))).toBeGreaterThan(0);
    await untilVictimHas(partitions);
    await produce(messages.slice(half));
    await untilVictimHas(messagesRead);
    const seen = seenIn(database);
    for (const sql of [different, seen])
      await until(
        async () => (await numbers(sql)).every((number) => number >= READ_EVENTS),
        `all events: ${sql}`,
      );
    await sync(database);
    const ids = ['events', 'host_status'].map((table) => `SELECT event_id FROM ${database}.${table} FINAL`);
    const all = ids.join(' UNION ALL ');
    expect(await numbers(`SELECT count() FROM (${all})`)).toEqual(everywhere(READ_EVENTS));
    expect(await numbers(`SELECT uniqExact(event_id) FROM (${all})`)).toEqual(everywhere(READ_EVENTS));
    expect(await numbers(seen)).toEqual(everywhere(READ_EVENTS));
    expect(await numbers(`SELECT count() FROM ${database}.rejected`)).toEqual(everywhere(0));
  });
});
