/** A spool on a real disk, with what is in the way of it, and a sink that settles by hand. */
import * as fs from 'node:fs';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, vi } from 'vitest';
import { acknowledge, emit } from '../../../../src/ledger/booking.ts';
import { createLedger, type SinkAccount } from '../../../../src/ledger/ledger.ts';
import type { SpoolFiles } from '../../../../src/pipeline/spool/disk/files.ts';
import type { SpoolMark } from '../../../../src/pipeline/spool/disk/frame.ts';
import { type OpenSpool, openDiskSpool } from '../../../../src/pipeline/spool/open.ts';
import type { SpoolReader } from '../../../../src/pipeline/spool/reader.ts';
import type { FullPolicy } from '../../../../src/pipeline/spool/room.ts';
import type { Batch } from '../../../../src/sink/batch.ts';
import { batchOfTexts } from '../../../support/batch.ts';
import { DEADLINE_MS } from '../../../support/wait.ts';
import { textsOf } from '../scripted-sink.ts';

/** Damage is tried some thousand times: not at the pace of a disk. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

export function makeDirectory(): string {
  const directory = mkdtempSync(join(MEMORY, 'ktc-spool-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: as the test wishes, write`), {
    code,
    errno: -1,
    syscall: 'write',
  });
}

export interface SpoolFixture {
  readonly opened: OpenSpool;
  readonly faults: string[];
  readonly damages: { readonly problem: string; readonly events: number }[];
  readonly notes: string[];
  recoveries: number;
  account(sink?: string): SinkAccount;
  reader(sink?: string): SpoolReader;
  /** Emits these events and appends them as one batch. */
  append(texts: readonly string[], mark?: SpoolMark | null): void;
  /** Takes everything that there is now, in batches of at most `maxEvents`. */
  takeAll(sink?: string, maxEvents?: number): Batch[];
  /** The sink has a batch that was taken; its events. */
  deliver(batch: Batch, sink?: string): string[];
  /** Takes and settles everything; the events. */
  deliverAll(sink?: string): string[];
  /** As the agent ends in order. */
  close(): Promise<void>;
}

export interface SpoolFixtureOptions {
  readonly sinks?: readonly string[];
  readonly memoryBytes?: number;
  readonly maxBytes?: number;
  readonly whenFull?: FullPolicy;
  readonly fsyncIntervalMs?: number;
  /** Takes the place of calls to the system. */
  readonly files?: Partial<SpoolFiles>;
  readonly now?: () => number;
}

export async function openFixture(
  directory: string,
  options: SpoolFixtureOptions = {},
): Promise<SpoolFixture> {
  const sinks = options.sinks ?? ['one'];
  const ledger = createLedger(sinks);
  const faults: string[] = [];
  const damages: { problem: string; events: number }[] = [];
  const notes: string[] = [];
  const fixture: { recoveries: number } = { recoveries: 0 };
  const opened = await openDiskSpool({
    directory,
    limits: {
      memoryBytes: options.memoryBytes ?? 1 << 20,
      maxBytes: options.maxBytes ?? 1 << 24,
      whenFull: options.whenFull ?? 'block',
    },
    fsyncIntervalMs: options.fsyncIntervalMs ?? 60_000,
    accounts: ledger.sinks,
    files: { ...fs, ...options.files },
    now: options.now ?? (() => performance.now()),
    report: {
      fault: (problem) => faults.push(problem),
      recovered() {
        fixture.recoveries++;
      },
      damage: (problem, events) => damages.push({ problem, events }),
      note: (message) => notes.push(message),
    },
  });
  if (!opened.ok) throw new Error(opened.problem);
  const { spool, readers } = opened.value;
  const named = <Value>(of: { get(name: string): Value | undefined }, name: string): Value => {
    const value = of.get(name);
    if (value === undefined) throw new Error(`there is no sink ${name}`);
    return value;
  };
  const account = (sink = 'one') => named(new Map(Object.entries(ledger.sinks)), sink);
  const reader = (sink = 'one') => named(readers, sink);
  const takeAll = (sink = 'one', maxEvents = 1) => {
    const batches: Batch[] = [];
    for (;;) {
      const batch = reader(sink).take({ maxEvents, maxBytes: 1 << 30 });
      if (batch === null) return batches;
      batches.push(batch);
    }
  };
  const deliver = (batch: Batch, sink = 'one') => {
    acknowledge(account(sink), batch.count);
    reader(sink).settle(batch);
    return textsOf(batch);
  };
  let closing: Promise<void> | null = null;
  const close = () => {
    closing ??= (async () => {
      for (const sink of sinks) reader(sink).close();
      await opened.value.close();
    })();
    return closing;
  };
  // The next test's directory may have this one's inode, and with it the name of its lock.
  onTestFinished(close);
  return Object.assign(fixture, {
    opened: opened.value,
    faults,
    damages,
    notes,
    account,
    reader,
    takeAll,
    append(texts: readonly string[], mark: SpoolMark | null = null) {
      for (const _ of texts) emit(ledger);
      const batch = batchOfTexts(texts);
      // As the batcher does, in memory that is used again.
      const bytes = spool.allocate(batch.bytes.length);
      batch.bytes.copy(bytes);
      spool.append({ ...batch, bytes }, mark);
    },
    deliver,
    deliverAll: (sink = 'one') => takeAll(sink).flatMap((batch) => deliver(batch, sink)),
    close,
  });
}

/** What a kill -9 leaves at this moment: a copy of the directory. */
export function copyAsAfterKill(directory: string): string {
  const copy = makeDirectory();
  for (const name of readdirSync(directory))
    writeFileSync(join(copy, name), readFileSync(join(directory, name)));
  return copy;
}

/** `count` events, told apart by their numbers. */
export function events(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `{"event":${from + index}}`);
}

export function segmentNames(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => /\.(open|segment)$/.test(name))
    .sort();
}

const LARGE = 'x'.repeat(40_000);

/** `count` events of 40 kB: two fill a segment of the smallest size. */
export function largeEvents(from: number, count: number): string[] {
  return events(from, count).map((text) => `${text.slice(0, -1)},"x":"${LARGE}"}`);
}

/** The numbers of events. */
export function numbersOf(texts: readonly string[]): number[] {
  return texts.map((text) => (JSON.parse(text) as { event: number }).event);
}

/** Waits for a condition that files or timers bring about. */
export function until(condition: () => boolean): Promise<void> {
  return vi.waitFor(() => expect(condition()).toBe(true), { timeout: DEADLINE_MS });
}
