/** Every question of query/clickhouse on the made fleet: its answer is the truth, whatever comes twice. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerLines } from '../support/chdb/answer-lines.ts';
import { type Engine, startEngine, whyNoEngine } from '../support/chdb/engine.ts';
import { AS_NUMBERS, KEEP_ALL, type Parameters, type Row } from '../support/chdb/http.ts';
import {
  isOfFleet,
  type LoadedFleet,
  loadFleet,
  parametersOf,
  type Question,
  questions,
  refreshSums,
} from '../support/chdb/questions.ts';
import { insertLines } from '../support/chdb/sample-lines.ts';
import { FLEET_START_MS } from '../support/fleet-truth/fleet.ts';
import { hostAt, PLANTED } from '../support/fleet-truth/plan.ts';
import { expectedAnswers } from './expected/answers.ts';
import { expectSame } from './expected/compare.ts';
import type { Truth } from './expected/facts.ts';
import { fleetFacts } from './expected/fleet.ts';

const EVENTS = 100_000;
const ALL = questions();
const missing = whyNoEngine('26.9');
if (missing) console.warn(`skipped: questions to ClickHouse: ${missing}`);

describe.skipIf(missing)('questions to ClickHouse', () => {
  let engine: Engine;
  let fleet: LoadedFleet;
  let truths: Readonly<Record<string, Truth>>;
  const parameters = (question: Question): Parameters => parametersOf(question, fleet);
  const ask = (question: Question): Promise<Row[]> =>
    engine.rows(question.sql, parameters(question), AS_NUMBERS);

  beforeAll(async () => {
    engine = await startEngine('26.9');
    // The same times in every run, so that the answers in the files are theirs; so nothing may be too old.
    await engine.apply(...KEEP_ALL);
    fleet = await loadFleet(engine, { events: EVENTS, startMs: FLEET_START_MS });
    truths = expectedAnswers(fleetFacts(fleet));
    await insertLines(engine, ['no event', JSON.stringify({ ...fleet.events[0], cpu: 'zero' })]);
  });
  afterAll(() => engine?.stop());

  it('has answers to all of them', () => {
    // Repeats and rejected lines have tests of their own below.
    expect(Object.keys(truths).sort()).toEqual(ALL.filter(isOfFleet).map(({ name }) => name));
    expect(ALL.length - Object.keys(truths).length).toBe(2);
  });

  it('loses nothing but what was planted as missing', async () => {
    const truth = fleet.truth();
    const [events, statuses] = await Promise.all([
      engine.value('SELECT count() FROM events FINAL'),
      engine.value('SELECT count() FROM host_status FINAL'),
    ]);
    expect(Number(events) + Number(statuses)).toBe(truth.delivered);
  });

  it.each(ALL.filter(isOfFleet))('$name', async (question) => {
    const truth = truths[question.name];
    if (truth === undefined) throw new Error(`no truth for ${question.name}`);
    const rows = await ask(question);
    expect(rows.length).toBeGreaterThan(0);
    expectSame(rows, truth(parameters(question)));
  });

  it('32-repeats: those that came again, by host, while they are not merged', async () => {
    const repeats = ALL.find(({ name }) => name === '32-repeats') as Question;
    await engine.query('SYSTEM STOP MERGES ktc.events');
    const before = new Map((await ask(repeats)).map(({ host, repeats: count }) => [host, Number(count)]));
    const hosts = [PLANTED.shortLived.hostIndex, PLANTED.resetStorm.hostIndex].map(
      (index) => hostAt(index).name,
    );
    const again = fleet.events.filter(({ host, event }) => hosts.includes(host) && event !== 'host_status');
    await insertLines(
      engine,
      again.map((event) => JSON.stringify(event)),
    );
    const after = new Map((await ask(repeats)).map((row) => [row['host'], row]));
    for (const host of hosts) {
      const count = again.filter((event) => event.host === host).length;
      expect(after.get(host)).toMatchObject({ events: count, repeats: (before.get(host) ?? 0) + count });
    }
    expect([...after.keys()].filter((host) => !before.has(host) && !hosts.includes(String(host)))).toEqual(
      [],
    );
    await engine.query('SYSTEM START MERGES ktc.events');
  });

  it('31-rejected-lines: with reason and example', async () => {
    const rows = await ask(ALL.find(({ name }) => name === '31-rejected-lines') as Question);
    expect(rows.map(({ reason, lines }) => [reason, lines])).toEqual([
      ['id_mismatch', 1],
      ['no_json', 1],
    ]);
  });

  it('finds the planted faults first', async () => {
    const first = async (name: string): Promise<Row | undefined> =>
      (await ask(ALL.find((question) => question.name === name) as Question))[0];
    const { badRackPair, slowService, leakingService, silentHost, resetStorm } = PLANTED;
    expect(await first('04-rack-matrix')).toMatchObject({
      from_rack: badRackPair.from,
      to_rack: badRackPair.to,
    });
    // The shared address is of hosts of the slow service.
    expect([slowService, 'ambiguous']).toContain((await first('07-connect-latency'))?.['to_service']);
    const { fromMinute } = badRackPair;
    const sinceMs = Date.parse(`${String((await first('25-since-when'))?.['since']).replace(' ', 'T')}Z`);
    expect(sinceMs - (fleet.startMs + fromMinute * 60_000)).toBeOneOf([0, 300_000]);
    expect(await first('12-close-wait-leaks')).toMatchObject({ service: leakingService });
    expect(await first('18-silent-hosts')).toMatchObject({ host: hostAt(silentHost.index).name });
    expect(await first('10-reset-storms')).toMatchObject({ peer: resetStorm.peer, direction: 'sent' });
    expect(await first('15-before-and-after')).toMatchObject({
      remote_rack: badRackPair.to,
      verdict: 'worse',
    });
    expect(await first('20-proof')).toMatchObject({
      unexplained: 40,
      host: hostAt(PLANTED.removed[1].hostIndex).name,
    });
  });

  it('shows real answers in the files', async () => {
    for (const question of ALL.filter(isOfFleet)) {
      const wanted = answerLines(await ask(question));
      expect(question.sql, `${question.name}: run scripts/write-query-answers.ts`).toContain(wanted);
    }
  });

  it('answers the same when everything has come again', async () => {
    const names = ['04-rack-matrix', '07-connect-latency', '20-proof', '13-who-talks-to', '35-busiest-pairs'];
    const some = ALL.filter(({ name }) => names.includes(name));
    const before = await Promise.all(some.map(ask));
    await loadFleet(engine, { events: EVENTS, startMs: FLEET_START_MS }, { keep: false });
    expect(await Promise.all(some.map(ask))).toEqual(before);
    expect(Number(await engine.value('SELECT count() FROM events'))).toBeGreaterThan(EVENTS);
  });

  it('proves what has arrived, and has its sums, also when the events are gone', async () => {
    const names = ['20-proof', '21-missing-events', '34-traffic-of-services', '35-busiest-pairs'];
    const lasting = ALL.filter(({ name }) => names.includes(name));
    expect(lasting).toHaveLength(names.length);
    const before = await Promise.all(lasting.map(ask));
    await engine.query('TRUNCATE TABLE ktc.events');
    await refreshSums(engine, 'ktc');
    expect(await Promise.all(lasting.map(ask))).toEqual(before);
  });
});
