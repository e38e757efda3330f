/**
 * Every question about real events: recordings of four kernels, replayed into the tables as the events of four hosts. The
 * answers are those that are counted from the same lines without the engine.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KTC } from '../support/agent.ts';
import { whyNoEngine } from '../support/chdb/engine.ts';
import { isOfFleet, questions } from '../support/chdb/questions.ts';
import type { FleetEvent } from '../support/fleet-truth/event.ts';
import { expectSame } from './expected/compare.ts';
import { openRealEvents, type RealEvents } from './expected/real.ts';

const RECORDINGS = ['linux-6.18', 'linux-6.1', 'module-3.10', 'module-6.1'];
const asked = questions().filter(isOfFleet);
const missing = whyNoEngine('26.9');
if (missing) console.warn(`skipped: questions about recordings: ${missing}`);

/** The events of a recording, as those of a host of its own. */
function eventsOf(recording: string, index: number): FleetEvent[] {
  const words = [`host.labels.rack=r${index}`, `host.labels.service=s${index >> 1}`];
  const file = join(import.meta.dirname, '../recordings', `${recording}.ktcrec`);
  const text = execFileSync(KTC, ['replay', '--json', ...words.flatMap((word) => ['--set', word]), file], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return (
    text
      .split('\n')
      .filter(Boolean)
      // Some have the same name of their own.
      .map((line) => ({ ...(JSON.parse(line) as FleetEvent), host: recording }))
  );
}

describe.skipIf(missing)('questions about recordings of real kernels', () => {
  let real: RealEvents;
  beforeAll(async () => {
    const events = RECORDINGS.map(eventsOf);
    // The two with the module are of one service: one is before, and one after.
    const moment = events.slice(2).map((own) => own[0]?.timestamp.slice(0, 23).replace('T', ' ') ?? '');
    const parameters = { rack_a: 'r0', service: 's1', address: '192.0.2.1', moment: moment.sort()[1] ?? '' };
    real = await openRealEvents(events.flat(), parameters);
  });
  afterAll(() => real?.engine.stop());

  it('are of four hosts, and every line is taken once', async () => {
    const { engine, facts } = real;
    expect(new Set(facts.events.map(({ host }) => host))).toEqual(new Set(RECORDINGS));
    expect(new Set(facts.events.map(({ event_id }) => event_id)).size).toBe(facts.events.length);
    expect(Number(await engine.value('SELECT count() FROM events'))).toBe(facts.events.length);
    expect(await engine.value('SELECT count() FROM rejected')).toBe('0');
  });

  it('have the identifiers that are computed from what is stored', async () => {
    const rows = await real.engine.rows('SELECT event_id, community_id FROM events');
    const found = new Map(rows.map(({ event_id, community_id }) => [event_id, community_id]));
    const wrong = real.facts.events.filter(
      ({ event_id, community_id = null }) => found.get(event_id) !== community_id,
    );
    expect(wrong).toEqual([]);
  });

  it.each(asked)('$name', async (question) => {
    expectSame(await real.ask(question), real.truthOf(question));
  });

  it('have an answer to all but what hosts say of themselves', () => {
    const silent = asked.filter((question) => real.truthOf(question).length === 0);
    // Without host_status nobody knows who the peer is (17) either.
    expect(silent.map(({ name }) => name.slice(0, 2))).toEqual([
      ...['06', '09', '17', '18', '19', '20', '21', '22', '23', '29', '36', '37'],
    ]);
  });
});
