/**
 * The tables of a cluster, on a cluster of one shard. The engine inside this process has no Keeper, so what needs one is left
 * out of the statements: ON CLUSTER, and the copies of replicated tables. Distributed tables, the views that read and write
 * through them, and every question are as on a cluster.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AS_NUMBERS,
  CLUSTER,
  type Engine,
  KEEP_ALL,
  startEngine,
  whyNoEngine,
} from '../support/chdb/engine.ts';
import {
  isOfFleet,
  type LoadedFleet,
  loadFleet,
  parametersOf,
  questions,
} from '../support/chdb/questions.ts';
import { FLEET_START_MS } from '../support/fleet-truth/fleet.ts';
import { expectedAnswers } from './expected/answers.ts';
import { expectSame } from './expected/compare.ts';
import type { Truth } from './expected/facts.ts';
import { fleetFacts } from './expected/fleet.ts';

const EVENTS = 20_000;
const missing = whyNoEngine('26.9');
if (missing) console.warn(`skipped: the tables of a cluster: ${missing}`);

describe.skipIf(missing)('a cluster of one shard', () => {
  let engine: Engine;
  let fleet: LoadedFleet;
  let truths: Readonly<Record<string, Truth>>;

  beforeAll(async () => {
    engine = await startEngine('26.9');
    const options = ['--cluster', CLUSTER, ...KEEP_ALL];
    const statements = await engine.apply(...options, '--print');
    for (const statement of statements.split(';\n\n').filter((part) => part.trim() !== '')) {
      const alone = statement
        .replace(` ON CLUSTER '${CLUSTER}'`, '')
        .replace(/ENGINE = Replicated(\w+)/, 'ENGINE = $1');
      await engine.query(alone);
    }
    fleet = await loadFleet(engine, { events: EVENTS, startMs: FLEET_START_MS });
    truths = expectedAnswers(fleetFacts(fleet));
  });
  afterAll(() => engine?.stop());

  it('keeps events in its local tables, and shows them in the distributed ones', async () => {
    const engines = await engine.rows(
      "SELECT name, engine FROM system.tables WHERE database = 'ktc' AND name IN ('events', 'events_local') ORDER BY name",
    );
    expect(engines).toEqual([
      { name: 'events', engine: 'Distributed' },
      { name: 'events_local', engine: 'ReplacingMergeTree' },
    ]);
    const different = await engine.value(
      'SELECT (SELECT count() FROM events FINAL) + (SELECT count() FROM host_status FINAL)',
    );
    expect(Number(different)).toBe(fleet.truth().delivered);
  });

  it.each(questions().filter(isOfFleet))('$name', async (question) => {
    const parameters = parametersOf(question, fleet);
    const settings = { ...AS_NUMBERS, distributed_product_mode: 'global' };
    expectSame(
      await engine.rows(question.sql, parameters, settings),
      truths[question.name]?.(parameters) ?? [],
    );
  });
});
