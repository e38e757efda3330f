/** Random lives of a spool, each beside a model that says what every sink must get, may get again, and must not. */

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { acknowledge } from '../../../../src/ledger/booking.ts';
import { type SinkAccount, total } from '../../../../src/ledger/ledger.ts';
import type { FullPolicy } from '../../../../src/pipeline/spool/room.ts';
import type { Batch } from '../../../../src/sink/batch.ts';
import { textsOf } from '../scripted-sink.ts';
import { type CrashDisk, createCrashDisk, type HostCrash } from './crash-disk.ts';
import { makeDirectory, openFixture, type SpoolFixture } from './fixture.ts';

const SINKS = ['a', 'b'] as const;
type SinkName = (typeof SINKS)[number];

/** `during` is how many changes to the disk of a save are done before the end; null is no save. */
type Command =
  | { readonly do: 'append'; readonly events: number; readonly kilobytes: number }
  | { readonly do: 'take'; readonly sink: SinkName; readonly events: number }
  | { readonly do: 'settle'; readonly sink: SinkName; readonly place: number }
  | { readonly do: 'save' }
  | { readonly do: 'full' | 'broken'; readonly is: boolean }
  | { readonly do: 'close' }
  | { readonly do: 'kill'; readonly during: number | null }
  | { readonly do: 'crash'; readonly during: number | null; readonly how: HostCrash };

interface Life {
  readonly whenFull: FullPolicy;
  readonly fsyncIntervalMs: 0 | 60_000;
  readonly commands: readonly Command[];
}

interface SinkModel {
  inFlight: { readonly batch: Batch; readonly events: readonly number[] }[];
  /** The newest that was taken in this run. */
  newest: number;
  /** In this run. */
  settledNow: Set<number>;
  /** In any run. */
  readonly settled: Set<number>;
  /** What lies before a saved cursor: must not come again. */
  kept: ReadonlySet<number>;
  /** Counted by earlier runs, but for what a crash has damaged. */
  dropped: number;
  /** Events that came, or may come, once more. */
  repeats: number;
}

const MEMORY_BYTES = 50_000;
const MAX_BYTES = 300_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Dropped, but not because its frame was damaged: only what was not on the disk yet may be that. */
function undamaged({ dropped }: SinkAccount): number {
  return total(dropped) - (dropped['spool_damaged'] ?? 0);
}

async function live(root: string, { whenFull, fsyncIntervalMs, commands }: Life): Promise<void> {
  let directories = 0;
  const nextDirectory = () => {
    const directory = join(root, String(directories++));
    mkdirSync(directory);
    return directory;
  };
  let time = 0;
  let events = 0;
  let emitted = 0;
  /** Appended while the disk was full. */
  const inMemory = new Set<number>();
  const durable = new Set<number>();
  /** A kill, or a crash, may have taken them uncounted. */
  const excused = new Set<number>();
  let hasCrashed = false;
  const models = new Map<SinkName, SinkModel>(
    SINKS.map((sink) => [
      sink,
      {
        ...{ inFlight: [], newest: -1, settledNow: new Set(), settled: new Set(), kept: new Set() },
        ...{ dropped: 0, repeats: 0 },
      },
    ]),
  );
  const fixtures: SpoolFixture[] = [];
  let disk: CrashDisk = createCrashDisk(nextDirectory());
  let fixture = await open();

  async function open(): Promise<SpoolFixture> {
    const opened = await openFixture(disk.directory, {
      sinks: SINKS,
      memoryBytes: MEMORY_BYTES,
      maxBytes: MAX_BYTES,
      whenFull,
      fsyncIntervalMs,
      files: disk.files,
      now: () => time,
    });
    fixtures.push(opened);
    return opened;
  }

  async function reopen(next: CrashDisk): Promise<void> {
    for (const [sink, model] of models) {
      model.dropped += undamaged(fixture.account(sink));
      model.repeats += model.settled.size - model.kept.size;
      model.inFlight = [];
      model.newest = -1;
      model.settledNow = new Set();
    }
    inMemory.clear();
    disk = next;
    emitted = 0;
    time += 10_000;
    fixture = await open();
  }

  /** What is stored is on the disk, and every cursor is where it stands now. */
  function noteSaved(): void {
    if (disk.isBroken) return;
    for (let event = 0; event < events; event++) if (!inMemory.has(event)) durable.add(event);
    if (disk.isFull) return;
    for (const model of models.values()) {
      const oldest = Math.min(...model.inFlight.flatMap((taken) => taken.events));
      const before = [...model.settledNow].filter((event) => event < oldest);
      model.kept = new Set([...model.kept, ...before]);
    }
  }

  async function save(): Promise<void> {
    vi.advanceTimersByTime(60_000);
    await disk.idle();
  }

  /** The end of a process, or of its host, at some moment of a save. */
  async function end(during: number | null, take: (directory: string) => CrashDisk): Promise<void> {
    let next: CrashDisk | null = null;
    const now = () => {
      next = take(nextDirectory());
    };
    if (during !== null) {
      disk.interrupt(during, now);
      await save();
    }
    if (next === null) now();
    await reopen(next ?? disk);
  }

  function take(sink: SinkName, maxEvents: number): boolean {
    const model = modelOf(sink);
    const batch = fixture.reader(sink).take({ maxEvents, maxBytes: 1 << 20 });
    if (batch === null) return false;
    const numbers = textsOf(batch).map((text) => (JSON.parse(text) as { event: number }).event);
    for (const event of numbers) {
      expect(event, `sink ${sink} gets its events in order`).toBeGreaterThan(model.newest);
      expect(model.kept.has(event), `sink ${sink} gets event ${event}, which it had settled`).toBe(false);
      expect(event).toBeLessThan(events);
      model.newest = event;
    }
    model.inFlight.push({ batch, events: numbers });
    return true;
  }

  function settle(sink: SinkName, place: number): void {
    const model = modelOf(sink);
    const [taken] = model.inFlight.splice(place % Math.max(1, model.inFlight.length), 1);
    if (taken === undefined) return;
    acknowledge(fixture.account(sink), taken.batch.count);
    fixture.reader(sink).settle(taken.batch);
    for (const event of taken.events) {
      model.settled.add(event);
      model.settledNow.add(event);
    }
  }

  function modelOf(sink: SinkName): SinkModel {
    const model = models.get(sink);
    if (model === undefined) throw new Error(`no sink ${sink}`);
    return model;
  }

  function append(count: number, kilobytes: number): void {
    const numbers = Array.from({ length: count }, () => events++);
    emitted += count;
    fixture.append(numbers.map((event) => JSON.stringify({ event, fill: 'x'.repeat(kilobytes * 1000) })));
    for (const event of numbers) inMemory.add(event);
    if (disk.isFull || (disk.isBroken && fsyncIntervalMs === 0)) return;
    inMemory.clear();
    expect(fixture.opened.spool.memoryBytes, 'nothing waits in memory for a disk that takes it').toBe(0);
    if (fsyncIntervalMs === 0) for (let event = 0; event < events; event++) durable.add(event);
  }

  async function obey(command: Command): Promise<void> {
    switch (command.do) {
      case 'append':
        return append(command.events, command.kilobytes);
      case 'take':
        take(command.sink, command.events);
        return;
      case 'settle':
        return settle(command.sink, command.place);
      case 'save':
        await save();
        return noteSaved();
      case 'full':
        disk.isFull = command.is;
        time += 10_000;
        return;
      case 'broken':
        disk.isBroken = command.is;
        time += 10_000;
        return;
      case 'close': {
        const { isFull, isBroken } = disk;
        await fixture.close();
        if (!isFull && !isBroken)
          for (const { dropped } of SINKS.map(fixture.account)) expect(dropped['shutdown']).toBe(undefined);
        noteSaved();
        await reopen(disk.kill(nextDirectory()));
        Object.assign(disk, { isFull, isBroken });
        return;
      }
      case 'kill':
        for (const event of inMemory) excused.add(event);
        return end(command.during, (directory) => disk.kill(directory));
      case 'crash':
        hasCrashed = true;
        for (let event = 0; event < events; event++) if (!durable.has(event)) excused.add(event);
        await end(command.during, (directory) => disk.crash(directory, command.how));
        for (const event of excused) durable.add(event);
        return;
    }
  }

  function checkAccounts(): void {
    for (const sink of SINKS) {
      const { delivered, rejected, dropped, recovered, queued, spooled, in_flight } = fixture.account(sink);
      const parts = [delivered, total(rejected), total(dropped), queued, spooled, in_flight];
      expect(Math.min(...parts), `account of sink ${sink}`).toBeGreaterThanOrEqual(0);
      expect(
        parts.reduce((sum, part) => sum + part, 0),
        `account of sink ${sink}`,
      ).toBe(emitted + recovered);
      expect(in_flight).toBe(modelOf(sink).inFlight.reduce((sum, taken) => sum + taken.events.length, 0));
    }
    if (!hasCrashed) expect(fixture.damages).toEqual([]);
  }

  /** Every sink gets what is left. */
  function drain(): void {
    for (const sink of SINKS) {
      const model = modelOf(sink);
      do while (model.inFlight.length > 0) settle(sink, 0);
      while (take(sink, 100));
      checkAccounts();
      const { queued, spooled, in_flight } = fixture.account(sink);
      expect({ queued, spooled, in_flight }).toEqual({ queued: 0, spooled: 0, in_flight: 0 });
      const missing = Array.from({ length: events }, (_, event) => event).filter(
        (event) => !model.settled.has(event),
      );
      const counted = model.dropped + undamaged(fixture.account(sink));
      const unexplained = missing.filter((event) => !excused.has(event));
      expect(counted, `sink ${sink} never got ${unexplained}`).toBeGreaterThanOrEqual(unexplained.length);
      if (hasCrashed) continue;
      expect(counted, `sink ${sink} counts more as dropped than it has not got`).toBeLessThanOrEqual(
        missing.length + model.repeats,
      );
    }
  }

  try {
    for (const command of commands) {
      await obey(command);
      checkAccounts();
    }
    drain();
  } finally {
    for (const one of fixtures) await one.close();
    rmSync(root, { recursive: true });
  }
}

const sink = fc.constantFrom(...SINKS);
const during = fc.option(fc.integer({ min: 1, max: 12 }), { nil: null });
const part = fc.constantFrom(0, 0.5, 1);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      events: fc.integer({ min: 1, max: 4 }),
      kilobytes: fc.constantFrom(0, 0, 9, 30),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('take' as const), sink, events: fc.integer({ min: 1, max: 8 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('settle' as const), sink, place: fc.integer({ min: 0, max: 3 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('save' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('full' as const), is: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('broken' as const), is: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const), during }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      during,
      how: fc.record({ names: part, written: part, zeros: fc.boolean() }),
    }),
  },
);

const life: fc.Arbitrary<Life> = fc.record({
  whenFull: fc.constantFrom<FullPolicy>('block', 'drop_oldest', 'drop_newest'),
  fsyncIntervalMs: fc.constantFrom<0 | 60_000>(0, 60_000),
  commands: fc.array(command, { maxLength: 60, size: 'max' }),
});

test('a spool does what the model says, whatever happens to it', async () => {
  const root = makeDirectory();
  let lives = 0;
  await fc.assert(
    fc.asyncProperty(life, async (one) => {
      const directory = join(root, String(lives++));
      mkdirSync(directory);
      await live(directory, one);
    }),
    { numRuns: Number(process.env['KTC_LIVES'] ?? 300) },
  );
}, 600_000);
