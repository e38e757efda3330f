import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Connection, createConnection } from '../../../src/event/connection/connection.ts';
import type { PeerSummary } from '../../../src/event/connection/peer-summary.ts';
import { createDraft, type EventDraft, UNKNOWN } from '../../../src/event/draft.ts';
import type { HostFacts } from '../../../src/event/host-facts.ts';
import type { HostStatus } from '../../../src/event/host-status.ts';
import { EVENT_KINDS, RETRANSMIT_KINDS, SOURCE_KINDS } from '../../../src/event/kinds.ts';
import { createSerializer } from '../../../src/event/serializer.ts';
import type { KtcEvent } from '../../../src/event/tcp-event.ts';
import type { TraceClock } from '../../../src/source/clock.ts';
import { describeEvent } from '../../support/describe-event.ts';
import { createEventValidator } from '../../support/schema.ts';
import { taskOf } from '../../support/tasks.ts';

const RUNS = 20_000;
const DAY_NS = 86_400e9;
const SENTINEL = 0xa5;

const anyText = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  // Single UTF-16 code units: lone surrogates, controls and quotes among them.
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 })
    .map((units) => String.fromCharCode(...units)),
  fc.constantFrom('', '"', '\\', '\u2028', '\ud800', '\udfff', '\u0000\u001f\u007f', '__proto__'),
);

/** As the kernel's bytes become text: any bytes, read as UTF-8. */
const commOfBytes = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).toString('utf8'));
const comm = fc.oneof(
  fc.constant(null),
  commOfBytes(15),
  // A kernel thread's name, and the worst of it: each of 63 bytes an escape of six.
  commOfBytes(63),
  fc.constant('\u0001'.repeat(63)),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 63 })
    .map((units) => String.fromCharCode(...units)),
);

const natural = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.constantFrom(0, 9, 10, 99, 100, 999_999_999, 1e15, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER),
);
const measure = fc.oneof(natural, fc.constant(-1));
const pid = fc.oneof(fc.nat({ max: 4_194_304 }), fc.constantFrom(0, 1, 4_194_304));
const port = fc.oneof(fc.nat({ max: 65_535 }), fc.constantFrom(0, 1, 65_535));
const kernelState = fc.integer({ min: 0, max: 12 });
const hex = (length: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length })
    .map((a) => a.join(''));
const session = hex(8);

const flow = fc.record({
  version: fc.constantFrom(4 as const, 6 as const, null),
  localAddress: fc.option(
    fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')),
  ),
  localPort: fc.option(port),
  remoteAddress: fc.option(fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('::'))),
  remotePort: fc.option(port),
  communityId: fc.constantFrom(null, '1:LQU9qZlK+B5F3KDmev6m5PMibrg='),
});

const connection: fc.Arbitrary<Connection> = fc
  .tuple(
    flow,
    session,
    natural,
    fc.constantFrom('active' as const, 'passive' as const, 'unknown' as const),
    fc.constantFrom(-1, 1, 4_026_531_840, 4_294_967_295),
  )
  .map(([itsFlow, id, begun, direction, netns]) => ({
    ...createConnection(1, `${id}-${begun.toString(36)}`, direction, netns),
    flow: itsFlow,
  }));

/** The members of a draft that are a number or UNKNOWN, whichever there are. */
const numbers: Record<string, fc.Arbitrary<number>> = Object.fromEntries(
  Object.entries(createDraft()).flatMap(([name, value]) => (value === UNKNOWN ? [[name, measure]] : [])),
);

/** A count that the others can be added to. */
const summand = fc.oneof(fc.nat(), fc.constantFrom(0, 1e15));
const summary: fc.Arbitrary<PeerSummary> = fc.record({
  flow: fc.option(flow),
  netns: fc.constantFrom(-1, 1, 4_294_967_295),
  cpu: fc.nat({ max: 8191 }),
  counts: fc.record({
    // There is none without a retransmit.
    rto: summand.map((count) => count + 1),
    fast: summand,
    tlp: summand,
    syn: summand,
    synack: summand,
    unknown: summand,
  }),
  suppressed: natural,
  closed: fc.constant(true),
});

const counts = (name: fc.Arbitrary<string>, maxKeys = 5) => fc.dictionary(name, natural, { maxKeys });
const status: fc.Arbitrary<HostStatus> = fc.record({
  agent: fc.record({
    version: anyText,
    sourceKind: fc.constantFrom(...SOURCE_KINDS),
    configHash: hex(16),
  }),
  uptimeSeconds: natural,
  report: fc.record({
    time: fc.constant(0),
    netns: fc.option(natural),
    addresses: fc.uniqueArray(fc.oneof(fc.ipV4(), fc.ipV6()), { maxLength: 4 }),
    counters: counts(fc.constantFrom('Tcp.OutSegs', 'TcpExt.TCPLossProbes')),
    interfaces: fc.dictionary(
      // Any bytes but a slash and white space, as the kernel allows it.
      fc.oneof(
        fc.constantFrom('eth0', '"', '\\', '\u0001', '__proto__', '7'),
        fc.stringMatching(/^[^/\s]{1,15}$/),
      ),
      counts(fc.constantFrom('rx_errors', 'tx_dropped')),
      { maxKeys: 4 },
    ),
  }),
  ledger: counts(fc.constantFrom('read', 'lost.crash', 'sink.kafka.rejected.bad_request')),
  ordinals: counts(fc.nat({ max: 8191 }).map(String)),
  json: fc.constant(null),
});

const others = fc.record({
  kind: fc.constantFrom(...EVENT_KINDS),
  // Before the epoch, and more than 104 days (2^53 ns) behind it.
  time: fc.oneof(
    fc.integer({ min: -1e15, max: 1e15 }),
    fc.integer({ min: 105 * DAY_NS, max: 4000 * DAY_NS }),
    fc.constantFrom(0, -1, 999_999_999, 1e9),
  ),
  cpu: fc.nat({ max: 8191 }),
  ordinal: natural,
  task: fc.record({
    pid: fc.option(pid),
    comm,
    isKernel: fc.boolean(),
    unit: fc.option(fc.constantFrom('nginx.service', `${'\\'.repeat(247)}.service`)),
    containerId: fc.option(hex(64)),
  }),
  isOwner: fc.boolean(),
  connection,
  summary,
  status,
  intervalUs: natural,
  oldState: kernelState,
  newState: kernelState,
  state: kernelState,
  retransmitKind: fc.constantFrom(...RETRANSMIT_KINDS),
  resetSent: fc.boolean(),
});

const draft: fc.Arbitrary<EventDraft> = fc
  .tuple(fc.record(numbers), others)
  .map((members) => Object.assign(createDraft(), ...members));

const facts: fc.Arbitrary<HostFacts> = fc.record({
  kernel: fc.record({
    hostName: anyText,
    hostId: fc.oneof(hex(32), fc.constant('')),
    bootId: fc.uuid(),
    release: anyText,
  }),
  session,
  labels: fc.dictionary(anyText, anyText, { maxKeys: 6 }),
});

const clock: fc.Arbitrary<TraceClock> = fc.record({
  epoch: fc.constant({ high: 0, low: 0 }),
  wallSeconds: fc.integer({ min: 1_500_000_000, max: 4_000_000_000 }),
  wallNanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
  now: fc.constant(() => 0),
  follow: fc.constant(() => 0),
});

const validate = createEventValidator();

describe('the serializer', () => {
  test(`writes exactly what JSON.stringify writes of the described event (${RUNS} runs)`, () => {
    fc.assert(
      fc.property(
        facts,
        clock,
        fc.array(draft, { minLength: 1, maxLength: 3 }),
        fc.nat({ max: 50 }),
        (host, time, drafts, start) => {
          const { maxBytes, statusBytes, write } = createSerializer(host, time);
          const maxBytesOf = ({ kind, status }: EventDraft) =>
            kind === 'host_status' ? statusBytes(status) : maxBytes;
          const guard = 64;
          const room = drafts.reduce((sum, one) => sum + maxBytesOf(one), 0);
          const out = Buffer.alloc(start + room + guard, SENTINEL);
          let at = start;
          for (const one of drafts) {
            const end = write(out, at, one);
            const described: KtcEvent = describeEvent(one, host, time);
            expect(out.toString('utf8', at, end)).toBe(JSON.stringify(described));
            expect(end - at).toBeLessThanOrEqual(maxBytesOf(one));
            const parsed: unknown = JSON.parse(out.toString('utf8', at, end));
            expect(JSON.stringify(parsed)).toBe(JSON.stringify(described));
            expect(validate(parsed)).toEqual([]);
            at = end;
          }
          expect(out.subarray(0, start).every((byte) => byte === SENTINEL)).toBe(true);
          expect(out.subarray(at).every((byte) => byte === SENTINEL)).toBe(true);
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('a connection that lives long keeps little memory of the others', () => {
    const [host] = fc.sample(facts, { seed: 1, numRuns: 1 });
    const [time] = fc.sample(clock, { seed: 1, numRuns: 1 });
    if (host === undefined || time === undefined) throw new Error('no sample');
    const { write, maxBytes } = createSerializer(host, time);
    const out = Buffer.alloc(maxBytes);
    const connections = fc.sample(connection, { seed: 1, numRuns: 1_000 });
    for (const one of connections) write(out, 0, { ...createDraft(), connection: one });
    const kept = connections.filter((_, index) => index % 100 === 0);
    const bytes = kept.map(({ json }) => json?.buffer.byteLength ?? Number.NaN);
    expect(Math.max(...bytes)).toBeLessThanOrEqual(4096);
  });

  test('follows a clock that is stepped, and a task whose object is replaced', () => {
    const [sample] = fc.sample(draft, { seed: 1, numRuns: 1 });
    const [host] = fc.sample(facts, { seed: 1, numRuns: 1 });
    if (sample === undefined || host === undefined) throw new Error('no sample');
    const steps = {
      epoch: { high: 0, low: 0 },
      wallSeconds: 1_800_000_000,
      wallNanoseconds: 0,
      now: () => 0,
      follow: () => 0,
    };
    const { write, maxBytes } = createSerializer(host, steps);
    const out = Buffer.alloc(maxBytes);
    const both = (one: EventDraft) => [
      out.toString('utf8', 0, write(out, 0, one)),
      JSON.stringify(describeEvent(one, host, steps)),
    ];
    for (const wallSeconds of [1_800_000_000, 1_700_000_000, 1_800_000_001]) {
      steps.wallSeconds = wallSeconds;
      for (const name of ['a', 'b', 'a']) {
        const [written, described] = both({ ...sample, task: taskOf(7, name) });
        expect(written).toBe(described);
      }
    }
  });
});
