/** What one sink must get from a spool, may get again, and must not get, over all runs. */
import { expect } from 'vitest';
import { acknowledge } from '../../../../src/ledger/booking.ts';
import { type SinkAccount, total } from '../../../../src/ledger/ledger.ts';
import type { Batch } from '../../../../src/sink/batch.ts';
import { textsOf } from '../scripted-sink.ts';
import type { SpoolFixture } from './fixture.ts';

/** Events have numbers, from 0 on in the order in which they are appended. */
export interface SinkModel {
  /** Takes a batch of the run that `fixture` is; false when there is none. `end` is the number of the next event. */
  take(fixture: SpoolFixture, maxEvents: number, end: number): boolean;
  /** Acknowledges the batch in flight at this place, modulo their number; false when there is none. */
  settle(fixture: SpoolFixture, place: number): boolean;
  /** The cursor is written where it stands now: it outlives the process. */
  noteWritten(): void;
  /** The process is killed, or the host crashes. */
  noteKill(): void;
  noteCrash(): void;
  /** The cursor is saved where it stands now: it outlives the host. */
  noteSaved(): void;
  /** The run of `fixture` has ended, and another one begins. */
  restart(fixture: SpoolFixture): void;
  /** The account has every event of this run in one place. `emitted` is how many were appended in it. */
  checkAccount(fixture: SpoolFixture, emitted: number): void;
  readonly isIdle: boolean;
  /**
   * When everything was delivered: each of the events before `end` that never came is counted as dropped, but for those
   * that a kill or a crash may have taken. After a crash more may be counted than are missing.
   */
  checkMissing(fixture: SpoolFixture, end: number, excused: ReadonlySet<number>, hasCrashed: boolean): void;
}

/** Dropped, but not because its frame was damaged: only what was not on the disk yet may be that. */
function undamaged({ dropped }: SinkAccount): number {
  return total(dropped) - (dropped['spool_damaged'] ?? 0);
}

export function createSinkModel(sink: string): SinkModel {
  let inFlight: { readonly batch: Batch; readonly events: readonly number[] }[] = [];
  /** The newest event that was taken in this run. */
  let newest = -1;
  let settledInRun = new Set<number>();
  const settled = new Set<number>();
  /** What lies before the cursor that this run has found: it must not come again. */
  let saved: ReadonlySet<number> = new Set();
  /** What lies before a cursor that was written since, and before the last one that is on the disk. */
  let written: ReadonlySet<number> = new Set();
  let durable: ReadonlySet<number> = new Set();
  /** Counted by earlier runs, but for what a crash has damaged. */
  let dropped = 0;
  /** Events that came, or may come, once more. */
  let repeats = 0;

  function settledBeforeCursor(): ReadonlySet<number> {
    const oldest = Math.min(...inFlight.flatMap(({ events }) => events));
    return new Set([...saved, ...[...settledInRun].filter((event) => event < oldest)]);
  }

  return {
    take(fixture, maxEvents, end) {
      const batch = fixture.reader(sink).take({ maxEvents, maxBytes: 1 << 20 });
      if (batch === null) return false;
      const events = textsOf(batch).map((text) => (JSON.parse(text) as { event: number }).event);
      for (const event of events) {
        expect(event, `sink ${sink} gets its events in order`).toBeGreaterThan(newest);
        expect(saved.has(event), `sink ${sink} gets event ${event}, which it had settled`).toBe(false);
        expect(event).toBeLessThan(end);
        newest = event;
      }
      inFlight.push({ batch, events });
      return true;
    },
    settle(fixture, place) {
      const [taken] = inFlight.splice(place % Math.max(1, inFlight.length), 1);
      if (taken === undefined) return false;
      acknowledge(fixture.account(sink), taken.batch.count);
      fixture.reader(sink).settle(taken.batch);
      for (const event of taken.events) {
        settled.add(event);
        settledInRun.add(event);
      }
      return true;
    },
    noteWritten() {
      written = settledBeforeCursor();
    },
    noteKill() {
      saved = new Set([...saved, ...written]);
    },
    noteCrash() {
      saved = durable;
    },
    noteSaved() {
      saved = settledBeforeCursor();
      durable = saved;
    },
    restart(fixture) {
      dropped += undamaged(fixture.account(sink));
      repeats += settled.size - saved.size;
      inFlight = [];
      newest = -1;
      settledInRun = new Set();
      written = new Set();
    },
    checkAccount(fixture, emitted) {
      const account = fixture.account(sink);
      const { delivered, rejected, recovered, queued, spooled, in_flight } = account;
      const parts = [delivered, total(rejected), total(account.dropped), queued, spooled, in_flight];
      const sum = parts.reduce((all, part) => all + part, 0);
      expect(Math.min(...parts), `account of sink ${sink}`).toBeGreaterThanOrEqual(0);
      expect(sum, `account of sink ${sink}`).toBe(emitted + recovered);
      expect(in_flight).toBe(inFlight.reduce((all, { events }) => all + events.length, 0));
    },
    get isIdle() {
      return inFlight.length === 0;
    },
    checkMissing(fixture, end, excused, hasCrashed) {
      const { queued, spooled, in_flight } = fixture.account(sink);
      expect({ queued, spooled, in_flight }).toEqual({ queued: 0, spooled: 0, in_flight: 0 });
      const missing = Array.from({ length: end }, (_, event) => event).filter((event) => !settled.has(event));
      const unexplained = missing.filter((event) => !excused.has(event));
      const counted = dropped + undamaged(fixture.account(sink));
      expect(counted, `sink ${sink} never got ${unexplained}`).toBeGreaterThanOrEqual(unexplained.length);
      if (hasCrashed) return;
      expect(counted, `sink ${sink} counts more as dropped than it has not got`).toBeLessThanOrEqual(
        missing.length + repeats,
      );
    },
  };
}
