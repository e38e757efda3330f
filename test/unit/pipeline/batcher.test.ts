import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createConnection } from '../../../src/event/connection/connection.ts';
import { createDraft, type EventDraft } from '../../../src/event/draft.ts';
import { type HostStatus, NO_STATUS } from '../../../src/event/host-status.ts';
import { createSerializer } from '../../../src/event/serializer.ts';
import { createBatcher } from '../../../src/pipeline/batcher.ts';
import type { BatchLimits, NewBatch } from '../../../src/sink/batch.ts';
import { describeEvent } from '../../support/describe-event.ts';
import { taskOf } from '../../support/tasks.ts';
import { textsOf } from './scripted-sink.ts';

const clock = {
  epoch: { high: 0, low: 0 },
  wallSeconds: 1_800_000_000,
  wallNanoseconds: 0,
  now: () => 0,
  follow: () => 0,
};
const facts = {
  kernel: { hostName: 'host', hostId: '', bootId: 'boot', release: '6.1' },
  session: 'cafe0123',
  labels: {},
};
const serializer = createSerializer(facts, clock);
const connection = {
  ...createConnection(1, 'cafe0123-0', 'active'),
  flow: {
    version: 4,
    localAddress: '10.0.0.1',
    localPort: 40_000,
    remoteAddress: '10.0.0.2',
    remotePort: 443,
    communityId: null,
  },
} as const;

function draftOf(ordinal: number, time = ordinal * 1e6): EventDraft {
  return {
    ...createDraft(),
    kind: 'tcp_state',
    time,
    cpu: 0,
    ordinal,
    task: taskOf(7, 'x'.repeat(ordinal % 15)),
    isOwner: true,
    connection,
    oldState: 1,
    newState: 4,
    durationUs: ordinal,
  };
}

/** Of a host at the bounds: names and numbers as long as they get. */
function largestStatus(): HostStatus {
  const byIndex = <Value>(count: number, entry: (index: number) => [string, Value]) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => entry(index)));
  const large = 2 ** 53 - 1;
  return {
    ...NO_STATUS,
    report: {
      time: 0,
      netns: 4_026_531_840,
      addresses: Array.from({ length: 512 }, (_, i) => `2001:db8:1111:2222:3333:4444:5555:${i.toString(16)}`),
      counters: byIndex(40, (i) => [`TcpExt.TCPSomeLongCounter${i}`, large]),
      interfaces: byIndex(128, (i) => [
        `veth${i}`.padEnd(15, 'x'),
        byIndex(18, (n) => [`rx_counter_${'abcdefghijklmnopqr'[n]}`, large]),
      ]),
    },
    ledger: byIndex(60, (i) => [`sink.elasticsearch.rejected.reason_${i}`, large]),
    ordinals: byIndex(512, (cpu) => [`${cpu}`, large]),
    json: null,
  };
}

function createFixture(limits: Partial<BatchLimits> = {}) {
  const batches: NewBatch[] = [];
  const all = { maxEvents: 1000, maxBytes: 1 << 20, ...limits };
  const batcher = createBatcher({
    serializer,
    limits: all,
    toWallMs: (time) => 1000 + time / 1e6,
    // As memory that was used before.
    allocate: (bytes) => Buffer.alloc(bytes, '?'),
    onBatch: (batch) => batches.push(batch),
  });
  let added = 0;
  return {
    batches,
    batcher,
    limits: all,
    add(count: number) {
      for (let index = 0; index < count; index++) {
        batcher.add(draftOf(added++));
        batcher.settle();
      }
    },
    counts: () => batches.map(({ count }) => count),
    /** Every event once, in order, each in its place. */
    expectWhole() {
      const texts = batches.flatMap(textsOf);
      expect(texts).toEqual(
        Array.from({ length: added }, (_, index) =>
          JSON.stringify(describeEvent(draftOf(index), facts, clock)),
        ),
      );
      for (const { bytes, count, offsets } of batches) {
        expect([offsets.length, offsets[0], offsets[count]]).toEqual([count + 1, 0, bytes.length]);
        expect(bytes[bytes.length - 1]).toBe(10);
      }
    },
  };
}

describe('a batch is closed', () => {
  test('by count', () => {
    const fixture = createFixture({ maxEvents: 7 });
    fixture.add(9);
    // A record may lead to four events, which must not be torn apart.
    expect(fixture.counts()).toEqual([4, 4]);
    fixture.batcher.flush();
    expect(fixture.counts()).toEqual([4, 4, 1]);
    fixture.expectWhole();
  });

  test('before it could outgrow its bytes', () => {
    const fixture = createFixture({ maxBytes: serializer.maxBytes * 2 });
    fixture.add(50);
    fixture.batcher.flush();
    expect(fixture.batches.length).toBeGreaterThan(5);
    for (const { bytes } of fixture.batches)
      expect(bytes.length).toBeLessThanOrEqual(fixture.limits.maxBytes);
    fixture.expectWhole();
  });

  test('with one event where the limit has no room for any', () => {
    const fixture = createFixture({ maxBytes: 1 });
    fixture.add(3);
    fixture.batcher.flush();
    expect(fixture.counts()).toEqual([1, 1, 1]);
    fixture.expectWhole();
  });

  test('before and behind a host_status that no batch has room for, which goes alone, and stays small elsewhere', () => {
    const fixture = createFixture({ maxBytes: 16_384 });
    const status = { ...draftOf(2), kind: 'host_status' as const, status: largestStatus() };
    fixture.add(2);
    fixture.batcher.add(status);
    fixture.batcher.settle();
    fixture.add(1);
    fixture.batcher.flush();
    expect(fixture.counts()).toEqual([2, 1, 1]);
    const [, alone] = fixture.batches;
    if (alone === undefined) throw new Error('no batch');
    expect(textsOf(alone)).toEqual([JSON.stringify(describeEvent(status, facts, clock))]);
    expect([...alone.offsets]).toEqual([0, alone.bytes.length]);
    // What docs/events.md promises.
    expect(alone.bytes.length).toBeGreaterThan(50_000);
    expect(alone.bytes.length).toBeLessThan(200_000);
    expect(alone.oldestMs).toBe(1002);
    fixture.batches.splice(1, 1);
    fixture.expectWhole();
  });

  test('as ever, with a host_status among others, where there is room', () => {
    const fixture = createFixture();
    fixture.add(1);
    const status = { ...draftOf(1), kind: 'host_status' as const, status: largestStatus() };
    fixture.batcher.add(status);
    fixture.batcher.flush();
    expect(fixture.counts()).toEqual([2]);
    expect(fixture.batches.flatMap(textsOf)[1]).toBe(JSON.stringify(describeEvent(status, facts, clock)));
  });

  test('on request, and an empty one never', () => {
    const fixture = createFixture();
    fixture.batcher.flush();
    fixture.add(2);
    fixture.batcher.flush();
    fixture.batcher.flush();
    expect(fixture.counts()).toEqual([2]);
  });
});

test('changed limits hold from the next event on, and nothing is lost between', () => {
  const fixture = createFixture();
  fixture.add(5);
  fixture.batcher.setLimits({ maxEvents: 2, maxBytes: 1 });
  expect(fixture.counts()).toEqual([5]);
  fixture.add(3);
  fixture.batcher.setLimits({ maxEvents: 1000, maxBytes: 1 << 20 });
  fixture.add(100);
  expect(fixture.counts()).toEqual([5, 1, 1, 1]);
  fixture.batcher.flush();
  expect(fixture.counts()).toEqual([5, 1, 1, 1, 100]);
  fixture.expectWhole();
});

test('has the time of its oldest event, which need not be its first', () => {
  const fixture = createFixture();
  for (const time of [30e6, 10e6, 20e6]) fixture.batcher.add(draftOf(0, time));
  fixture.batcher.flush();
  fixture.batcher.add(draftOf(0, 40e6));
  fixture.batcher.flush();
  expect(fixture.batches.map(({ oldestMs }) => oldestMs)).toEqual([1010, 1040]);
});

test('a closed batch does not change when others follow', () => {
  const fixture = createFixture({ maxEvents: 2 });
  fixture.add(2);
  const [first] = fixture.batches;
  const before = first && [first.bytes.toString(), [...first.offsets]];
  fixture.add(20);
  expect(first && [first.bytes.toString(), [...first.offsets]]).toEqual(before);
});

test('whatever is added, every event is in a batch once and in order, within the limits', () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('add' as const), value: fc.integer({ min: 1, max: 9 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('flush' as const),
        value: fc.constant(0),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('limits' as const), value: fc.integer({ min: 1, max: 9 }) }),
    },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const fixture = createFixture({ maxEvents: 6, maxBytes: 5000 });
      for (const { kind, value } of steps) {
        if (kind === 'add') fixture.add(value);
        else if (kind === 'flush') fixture.batcher.flush();
        else fixture.batcher.setLimits({ maxEvents: value, maxBytes: value * 1000 });
      }
      fixture.batcher.flush();
      fixture.expectWhole();
      expect(Math.max(0, ...fixture.counts())).toBeLessThanOrEqual(9);
    }),
    { numRuns: 500 },
  );
});
