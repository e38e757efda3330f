/** Real events in tables of their own, and what the questions about them have to answer. */
import { type Engine, startEngine } from '../../support/chdb/engine.ts';
import { AS_NUMBERS, KEEP_ALL, type Parameters, type Row } from '../../support/chdb/http.ts';
import { clickhouseTime, type Question, refreshSums, thoseOf } from '../../support/chdb/questions.ts';
import { insertLines } from '../../support/chdb/sample-lines.ts';
import type { FleetEvent } from '../../support/fleet-truth/event.ts';
import { expectedAnswers } from './answers.ts';
import { type Answer, type Facts, msOf, ofKind } from './facts.ts';

const STEP_MS = 300_000;

export interface RealEvents {
  readonly engine: Engine;
  readonly facts: Facts;
  /** The true answer. */
  readonly truthOf: (question: Question) => Answer;
  /** What the engine answers. */
  readonly ask: (question: Question) => Promise<Row[]>;
}

/** The host that has told of an address, where only one has: real addresses do not move within a test. */
function ownersIn(events: readonly FleetEvent[]): Facts['ownerOf'] {
  const owners = new Map(
    ofKind(events, 'host_status').flatMap(({ host, labels, addresses = [] }) =>
      addresses.map((address) => [
        address,
        { name: host, rack: labels['rack'] ?? '', service: labels['service'] ?? '' },
      ]),
    ),
  );
  return ({ remote_address }) => owners.get(remote_address ?? '') ?? null;
}

/** Loads the events of a test, of which `parameters` are the questions' own. */
export async function openRealEvents(
  events: readonly FleetEvent[],
  parameters: Parameters,
): Promise<RealEvents> {
  const times = events.map(msOf);
  const startMs = Math.floor(Math.min(...times) / STEP_MS) * STEP_MS;
  const endMs = (Math.floor(Math.max(...times) / STEP_MS) + 1) * STEP_MS;
  const facts = { events, missing: [], startMs, endMs, ownerOf: ownersIn(events) };
  const truths = expectedAnswers(facts);
  const story = events.find(({ event }) => event === 'tcp_life');
  const all: Parameters = {
    ...{ from: clickhouseTime(startMs), to: clickhouseTime(endMs) },
    ...{ min_segments: '1', max_ms: '50', min_age_s: '0', silent_s: '0', rack_b: 'unknown' },
    ...{ host: story?.host ?? '', connection_id: story?.connection_id ?? '', remote_host: 'unknown' },
    community_id:
      events.find(({ event, community_id }) => event === 'tcp_life' && community_id)?.community_id ?? '',
    ...parameters,
  };
  const engine = await startEngine('26.9');
  await engine.apply(...KEEP_ALL);
  await insertLines(
    engine,
    events.map((event) => JSON.stringify(event)),
  );
  await refreshSums(engine, 'ktc');
  return {
    ...{ engine, facts },
    truthOf: (question) => truths[question.name]?.(thoseOf(question.sql, all)) ?? [],
    ask: ({ sql }) => engine.rows(sql, thoseOf(sql, all), AS_NUMBERS),
  };
}
