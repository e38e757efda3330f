import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { epochAt } from '../../../src/source/clock.ts';
import { parsePageFormat } from '../../../src/source/decode/format.ts';
import type { RecordReader } from '../../../src/source/decode/reader.ts';
import type { TaskEventReader } from '../../../src/source/decode/task-events.ts';
import type { RecordFilter } from '../../../src/source/filter/evaluate.ts';
import { createStreams, type Streams } from '../../../src/source/merge.ts';
import type { RecordHandler } from '../../../src/source/source.ts';
import { buildPage, pageHeaderText, type RecordSpec } from '../../support/page-builder.ts';
import { handlerOf } from '../../support/record-handler.ts';

const TYPE = 77;
const OTHER_TYPE = 78;
const TASK_TYPE = 79;
const SIZE = 512;
const parsed = parsePageFormat(pageHeaderText(SIZE));
if (parsed === null) throw new Error('the page header is not understood');
const pageFormat = parsed;

/** The record's number stands behind the common fields. */
const readNumber: RecordReader = (record, bytes, at, length) => {
  if (length < 12) return false;
  record.thread = bytes.readUInt32LE(at + 8);
  return true;
};

/** A task of the record's number has begun. */
const readTask: TaskEventReader = (follower, bytes, at, length, time) => {
  if (length < 12) return false;
  follower.began(bytes.readUInt32LE(at + 8), 1, 'name', false, time);
  return true;
};

interface Seen {
  readonly cpu: number;
  readonly time: number;
  readonly number: number;
}

interface Fixture {
  readonly streams: Streams;
  readonly handler: RecordHandler;
  readonly seen: Seen[];
  readonly released: Buffer[];
  /** What was heard of tasks, between the numbers of records. */
  readonly told: string[];
  filteredRecords: number;
  taskRecords: number;
  malformedRecords: number;
  malformedPages: number;
}

function createFixture(
  cpus: number,
  filters = new Map<number, RecordFilter>(),
  taskReaders = new Map([[TASK_TYPE, readTask]]),
): Fixture {
  const seen: Seen[] = [];
  const told: string[] = [];
  const released: Buffer[] = [];
  const fixture: Fixture = {
    seen,
    released,
    told,
    filteredRecords: 0,
    taskRecords: 0,
    malformedRecords: 0,
    malformedPages: 0,
    handler: handlerOf({
      record({ cpu, time, thread }) {
        seen.push({ cpu, time, number: thread });
        told.push(`${thread}`);
      },
      filteredRecord: (reason) => (reason === 'task' ? fixture.taskRecords++ : fixture.filteredRecords++),
      malformedRecord: () => fixture.malformedRecords++,
      malformedPage: () => fixture.malformedPages++,
    }),
    streams: createStreams({
      cpus,
      epoch: epochAt(0n),
      pageFormat,
      readers: new Map([[TYPE, readNumber]]),
      filters,
      taskReaders,
      tasks: {
        began: (thread, _creator, _comm, _isThread, time) => told.push(`began ${thread} at ${time}`),
        renamed() {},
        lost: () => told.push('lost'),
      },
      release: (page) => released.push(page),
    }),
  };
  return fixture;
}

function record(number: number, delta: number, type = TYPE): RecordSpec {
  const payload = Buffer.alloc(12);
  payload.writeUInt16LE(type);
  payload.writeUInt32LE(number, 8);
  return { kind: 'data', payload, delta };
}

const page = (timestamp: number, ...records: readonly RecordSpec[]) =>
  buildPage({ timestamp: BigInt(timestamp), records, size: SIZE });

const numbers = ({ seen }: Fixture) => seen.map(({ number }) => number);

it('says how many pages of a CPU wait', () => {
  const { streams, handler } = createFixture(2);
  for (let page = 0; page < 3; page++)
    streams.push(1, buildPage({ timestamp: BigInt(1_000 + page), size: SIZE, records: [] }));
  expect([streams.queued(0), streams.queued(1)]).toEqual([0, 3]);
  streams.give(Number.POSITIVE_INFINITY, handler);
  expect(streams.queued(1)).toBe(0);
});

describe('records of several CPUs', () => {
  it('come in the order of time', () => {
    const fixture = createFixture(3);
    fixture.streams.push(0, page(100, record(1, 0), record(4, 30), record(5, 10)));
    fixture.streams.push(1, page(110, record(2, 0)));
    fixture.streams.push(2, page(100, record(3, 20), record(6, 100)));
    expect(fixture.streams.give(1_000, fixture.handler)).toBe(1_000);
    expect(numbers(fixture)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(fixture.seen.map(({ time, cpu }) => [time, cpu])).toEqual([
      [100, 0],
      [110, 1],
      [120, 2],
      [130, 0],
      [140, 0],
      [220, 2],
    ]);
  });

  it('wait for the watermark, which is included', () => {
    const fixture = createFixture(2);
    fixture.streams.push(0, page(100, record(1, 0), record(2, 1), record(3, 1)));
    fixture.streams.give(99, fixture.handler);
    expect(numbers(fixture)).toEqual([]);
    fixture.streams.give(101, fixture.handler);
    expect(numbers(fixture)).toEqual([1, 2]);
    fixture.streams.give(Number.POSITIVE_INFINITY, fixture.handler);
    expect(numbers(fixture)).toEqual([1, 2, 3]);
  });

  it('wait for a CPU of which the kernel may hold more', () => {
    const fixture = createFixture(2);
    fixture.streams.push(0, page(100, record(1, 0)));
    fixture.streams.setUnfinished(0, true);
    fixture.streams.push(1, page(50, record(0, 0), record(3, 100)));
    expect(fixture.streams.give(1_000, fixture.handler)).toBe(100);
    expect(numbers(fixture)).toEqual([0, 1]);
    fixture.streams.push(0, page(120, record(2, 0)));
    fixture.streams.setUnfinished(0, false);
    expect(fixture.streams.give(1_000, fixture.handler)).toBe(1_000);
    expect(numbers(fixture)).toEqual([0, 1, 2, 3]);
  });

  it('are all given at the end, also behind a CPU that stayed unfinished', () => {
    const fixture = createFixture(2);
    fixture.streams.push(0, page(100, record(1, 0)));
    fixture.streams.setUnfinished(0, true);
    fixture.streams.push(1, page(150, record(2, 0)));
    fixture.streams.give(Number.POSITIVE_INFINITY, fixture.handler);
    expect(numbers(fixture)).toEqual([1, 2]);
  });

  it('give a page back once, when it has been read through', () => {
    const fixture = createFixture(1);
    const pages = [page(1, record(1, 0)), page(2, record(2, 0)), page(3)];
    for (const one of pages) fixture.streams.push(0, one);
    fixture.streams.give(1, fixture.handler);
    expect(fixture.released).toEqual([pages[0]]);
    fixture.streams.give(10, fixture.handler);
    fixture.streams.give(Number.POSITIVE_INFINITY, fixture.handler);
    expect(fixture.released).toEqual(pages);
  });

  it('that their filter leaves out are counted, and not given', () => {
    const odd: RecordFilter = (bytes, at) => bytes.readUInt32LE(at + 8) % 2 === 1;
    const fixture = createFixture(1, new Map([[TYPE, odd]]));
    const cut: RecordSpec = { kind: 'data', payload: Buffer.from([TYPE, 0, 0, 0, 0, 0, 0, 0]) };
    fixture.streams.push(0, page(1, record(1, 0), record(2, 0), cut, record(4, 0), record(5, 0)));
    fixture.streams.give(10, fixture.handler);
    expect(numbers(fixture)).toEqual([1, 5]);
    expect([fixture.filteredRecords, fixture.malformedRecords]).toEqual([2, 1]);
  });

  it('of a type that nobody chose are passed over; those too short for a type are malformed', () => {
    const fixture = createFixture(1);
    const short: RecordSpec = { kind: 'data', payload: Buffer.from([TYPE, 0, 0, 0]) };
    const cut: RecordSpec = { kind: 'data', payload: Buffer.from([TYPE, 0, 0, 0, 0, 0, 0, 0]) };
    fixture.streams.push(0, page(1, record(1, 0), record(9, 0, OTHER_TYPE), short, cut, record(2, 0)));
    fixture.streams.give(10, fixture.handler);
    expect(numbers(fixture)).toEqual([1, 2]);
    expect(fixture.malformedRecords).toBe(2);
  });

  it('behind a malformed page still come, and each such page counts once', () => {
    const fixture = createFixture(1);
    const broken = page(1, record(1, 0), { kind: 'raw', bytes: Buffer.from([0, 0, 0, 0, 255, 255, 0, 0]) });
    const lying = page(2, record(9, 0));
    lying.writeUInt32LE(60_000, 8);
    for (const one of [broken, lying, Buffer.alloc(3), page(3, record(2, 0))]) fixture.streams.push(0, one);
    fixture.streams.give(10, fixture.handler);
    expect(numbers(fixture)).toEqual([1, 2]);
    expect(fixture.malformedPages).toBe(3);
    expect(fixture.released).toHaveLength(4);
  });
});

describe('records of tasks', () => {
  it('are told in the order of time among the others, and counted', () => {
    const fixture = createFixture(2);
    fixture.streams.push(0, page(100, record(1, 0), record(50, 10, TASK_TYPE), record(2, 10)));
    fixture.streams.push(1, page(105, record(51, 0, TASK_TYPE), record(3, 10)));
    fixture.streams.give(1_000, fixture.handler);
    expect(fixture.told).toEqual(['1', 'began 51 at 105', 'began 50 at 110', '3', '2']);
    expect([fixture.taskRecords, fixture.streams.given]).toEqual([2, 5]);
  });

  it('that are too short are malformed', () => {
    const fixture = createFixture(1);
    fixture.streams.push(
      0,
      page(1, { kind: 'data', payload: Buffer.from([TASK_TYPE, 0, 0, 0, 0, 0, 0, 0]) }),
    );
    fixture.streams.give(10, fixture.handler);
    expect([fixture.malformedRecords, fixture.taskRecords]).toEqual([1, 0]);
  });

  it('may be among those that were lost before a page: told before any record of that time, whichever CPU has it', () => {
    const fixture = createFixture(2);
    fixture.streams.push(0, page(100, record(1, 0)));
    const behindLoss = { timestamp: 200n, records: [record(4, 0)], size: SIZE, missed: 3 };
    fixture.streams.push(0, buildPage(behindLoss));
    fixture.streams.push(1, page(90, record(0, 0), record(3, 60)));
    fixture.streams.give(1_000, fixture.handler);
    expect(fixture.told).toEqual(['0', '1', 'lost', '3', '4']);
  });

  it('that nobody records leave what is known of tasks for one round', () => {
    const fixture = createFixture(1, new Map(), new Map());
    fixture.streams.push(0, page(1, record(1, 0), record(2, 1)));
    fixture.streams.give(1, fixture.handler);
    fixture.streams.give(10, fixture.handler);
    expect(fixture.told).toEqual(['lost', '1', 'lost', '2']);
  });
});

/** What one CPU's buffer holds: pages of records, later and later; and how many of the pages each read finds. */
const cpuHistory = fc.record({
  start: fc.nat(500),
  pages: fc.array(fc.array(fc.nat(200), { maxLength: 6 }), { maxLength: 12 }),
  chunks: fc.array(fc.nat(4), { minLength: 1, maxLength: 6 }),
});

describe('any history of any CPUs', () => {
  it('comes whole, once each, sorted, however it is read', () => {
    fc.assert(
      fc.property(
        fc.array(cpuHistory, { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(300)),
        (cpus, steps) => {
          const fixture = createFixture(cpus.length);
          let number = 0;
          const all: Seen[] = [];
          const queues = cpus.map(({ start, pages }, cpu) => {
            let time = start;
            return pages.map((deltas) => {
              const from = time;
              const records = deltas.map((delta) => {
                time += delta;
                all.push({ cpu, time, number });
                return record(number++, delta);
              });
              return { from, page: page(from, ...records) };
            });
          });

          let watermark = 0;
          let reached = 0;
          let round = 0;
          while (queues.some((queue) => queue.length > 0)) {
            watermark += steps[round] ?? 100;
            for (const [cpu, queue] of queues.entries()) {
              // Every read takes what is there up to its own limit; the rest, if any is due, stays in the kernel.
              const { chunks = [] } = cpus[cpu] ?? {};
              const limit = 1 + (chunks[round % chunks.length] ?? 0);
              for (const one of queue.splice(0, limit)) fixture.streams.push(cpu, one.page);
              fixture.streams.setUnfinished(cpu, queue.length > 0);
            }
            const given = fixture.streams.give(watermark, fixture.handler);
            // The promise behind `advance`: nothing earlier than what was told comes later.
            expect(given).toBeLessThanOrEqual(watermark);
            reached = Math.max(reached, given);
            const early = all.filter(({ time }) => time < given).length;
            expect(fixture.seen.filter(({ time }) => time < given)).toHaveLength(early);
            expect(fixture.seen.every(({ time }) => time <= watermark)).toBe(true);
            round++;
          }
          fixture.streams.give(Number.POSITIVE_INFINITY, fixture.handler);

          expect(fixture.seen.map(({ time }) => time)).toEqual(
            all.map(({ time }) => time).sort((left, right) => left - right),
          );
          expect(numbers(fixture).sort((left, right) => left - right)).toEqual(all.map((one) => one.number));
          for (const cpu of cpus.keys()) {
            const own = fixture.seen.filter((one) => one.cpu === cpu).map((one) => one.number);
            expect(own).toEqual([...own].sort((left, right) => left - right));
          }
          expect(fixture.malformedPages + fixture.malformedRecords).toBe(0);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
