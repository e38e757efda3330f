/** Long random walks through the kernel's own diagram: every walk makes accept, latency and life right. */
import { describe, expect, test } from 'vitest';
import { UNKNOWN } from '../../../../src/event/draft.ts';
import { SINGLE_EVENT_KINDS, type TcpState } from '../../../../src/event/kinds.ts';
import { createRandom } from '../../../support/fleet-truth/random.ts';
import { createNormalizerFixture, MILLISECOND, type SeenEvent } from '../../../support/record-builder.ts';
import { type Given, type Life, type ModelShape, walkKernel } from '../../../support/tcp-model.ts';

const OPENING: readonly (TcpState | undefined)[] = ['SYN_RECV', 'SYN_SENT'];

const timeOf = ({ changes }: Life, state: TcpState): number | undefined =>
  changes.find(({ to, isRecorded }) => to === state && isRecorded)?.time;

/** Whole microseconds until `end`. */
const since = (start: number | undefined, end: number): number =>
  start === undefined ? UNKNOWN : Math.floor((end - start) / 1000);

/** Since when a connection is in use, and whether it ever was. */
function openingOf(life: Life, { source }: ModelShape): { isOpen: boolean; at: number | undefined } {
  const { kind, changes, accepts } = life;
  if (kind === 'listening') return { isOpen: false, at: undefined };
  const established = timeOf(life, 'ESTABLISHED');
  if (established !== undefined) return { isOpen: true, at: established };
  const early = source === 'module' ? accepts.find(({ state }) => state === 'SYN_RECV') : undefined;
  // Whatever else than CLOSE comes after SYN_RECV or SYN_SENT: closed by the program or the peer before the handshake's end.
  const isClosedEarly = changes.some(
    ({ to }, index) => to !== 'CLOSE' && to !== 'SYN_RECV' && OPENING.includes(changes[index - 1]?.to),
  );
  return { isOpen: isClosedEarly || early !== undefined, at: timeOf(life, 'SYN_RECV') ?? early?.time };
}

/** What is seen of one life. */
interface Seen {
  readonly id: string;
  readonly counts: Map<string, number>;
}

/** What an event says, and what is true; null in the place of what may also be unknown. */
type Fact = readonly [what: string, told: unknown, allowed: readonly unknown[]];

function* factsOf(event: SeenEvent, given: Given, life: Life, shape: ModelShape): Generator<Fact> {
  const index = life.changes.findIndex(({ time }) => time === event.time);
  const before = life.changes[index - 1];
  switch (event.kind) {
    case 'tcp_state': {
      const start = before?.isRecorded ? before.time : undefined;
      yield ['old_state', event.oldState, [given.fields.from]];
      yield ['new_state', event.newState, [given.fields.to]];
      yield ['duration of the state', event.durationUs, [since(start, event.time)]];
      break;
    }
    case 'tcp_connect_latency':
      yield ['latency', event.latencyUs, [since(timeOf(life, 'SYN_SENT'), event.time)]];
      break;
    case 'tcp_life':
      yield ['duration of the life', event.durationUs, [since(openingOf(life, shape).at, event.time)]];
      if (shape.source === 'tracepoints') yield ['retransmits', event.retransmits, [life.retransmits]];
      break;
  }
  // What is told is true; what is not told is null.
  yield ['local_port', event.localPort, [life.localPort, null]];
  yield ['remote_port', event.remotePort, [life.remotePort, null]];
  yield ['remote_address is null', event.remote === null, [event.remotePort === null]];
  if (event.isOwner) yield ['owner', event.pid, [...life.callers]];
  const direction = life.kind === 'listening' ? 'unknown' : life.kind;
  yield ['direction', event.direction, shape.source === 'module' ? [direction, 'unknown'] : [direction]];
}

/** How often each kind comes in a whole life. */
function* countsOf(life: Life, { counts }: Seen, { source }: ModelShape): Generator<Fact> {
  const { isOpen } = openingOf(life, { source, peerComesLater: false });
  const isEstablished = life.changes.some(({ to }) => to === 'ESTABLISHED');
  const isActive = life.kind === 'active';
  const handshakes = life.kind === 'passive' && isOpen ? 1 : 0;
  const expected = {
    tcp_state: life.changes.filter(({ isRecorded }) => isRecorded).length,
    tcp_life: isOpen ? 1 : 0,
    tcp_connect: isActive ? 1 : 0,
    tcp_connect_latency: isActive && isEstablished ? 1 : 0,
    tcp_accept: source === 'module' ? life.accepts.length : handshakes,
    tcp_retransmit: life.retransmits,
  };
  for (const [kind, count] of Object.entries(expected))
    yield [`number of ${kind}`, counts.get(kind) ?? 0, [count]];
}

/** Between two rounds of reading; what waits is looked at after each. */
const ROUND_NS = 100 * MILLISECOND;

function walk(seed: number, shape: ModelShape, steps: number) {
  const fixture = createNormalizerFixture({ recordsAccepts: shape.source === 'module' });
  const byTime = new Map<number, Given>();
  const seen = new Map<Life, Seen>();
  const lifeOfId = new Map<string, Life | null>();
  const totals = new Map<string, number>();
  const problems: string[] = [];

  function check(facts: Iterable<Fact>, of: object): void {
    for (const [what, told, allowed] of facts) {
      if (!allowed.includes(told)) problems.push(`${what} is ${told}, not ${allowed}: ${JSON.stringify(of)}`);
    }
  }

  function take(events: readonly SeenEvent[]): void {
    for (const event of events) {
      const given = byTime.get(event.time);
      if (given === undefined) throw new Error(`an event of nothing: ${JSON.stringify(event)}`);
      const { life } = given;
      if (life !== null) {
        const known = seen.get(life) ?? { id: event.id, counts: new Map<string, number>() };
        seen.set(life, known);
        known.counts.set(event.kind, (known.counts.get(event.kind) ?? 0) + 1);
        check(factsOf(event, given, life, shape), event);
        check([['connection_id', event.id, [known.id]]], event);
      }
      if (lifeOfId.has(event.id) && lifeOfId.get(event.id) !== life)
        problems.push(`${event.id} is of two connections`);
      lifeOfId.set(event.id, life);
      totals.set(event.kind, (totals.get(event.kind) ?? 0) + 1);
    }
    fixture.events.length = 0;
  }

  let advancedTo = 0;
  for (const given of walkKernel(createRandom(seed), shape, steps)) {
    const { time } = given.fields;
    byTime.set(time, given);
    if (time - advancedTo > ROUND_NS) {
      advancedTo = time;
      take(fixture.advance(time));
    }
    take(fixture.feed(given.probe, given.fields));
  }
  take(fixture.advance(Number.POSITIVE_INFINITY));
  for (const [life, known] of seen) check(countsOf(life, known, shape), life);
  return { problems, totals, held: fixture.ledger.held, left: fixture.normalizer.connections };
}

const SHAPES: readonly (readonly [string, ModelShape])[] = [
  ['native tracepoints', { source: 'tracepoints', peerComesLater: false }],
  [
    'native tracepoints of a kernel that sets the peer later',
    { source: 'tracepoints', peerComesLater: true },
  ],
  ['the module', { source: 'module', peerComesLater: false }],
];

describe('100,000 random steps of a kernel', () => {
  test.each(SHAPES)('%s: nothing is missed, doubled or told of another connection', (_, shape) => {
    const { problems, totals, held, left } = walk(20_261_129, shape, 100_000);
    expect(problems.slice(0, 3)).toEqual([]);
    expect({ held, left }).toEqual({ held: 0, left: 0 });
    for (const kind of SINGLE_EVENT_KINDS) expect(totals.get(kind), kind).toBeGreaterThan(1_000);
  });
});
