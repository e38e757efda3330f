/** A delivery from a spool in memory to a sink that answers as the test says. */
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { countRecord, emit } from '../../../../src/ledger/booking.ts';
import { createLedger, imbalances, type Ledger, type SinkAccount } from '../../../../src/ledger/ledger.ts';
import { createDelivery, type Delivery, type DeliveryOptions } from '../../../../src/pipeline/delivery.ts';
import { systemFiles } from '../../../../src/pipeline/spool/disk/files.ts';
import { openMemorySpool } from '../../../../src/pipeline/spool/open.ts';
import type { Spool } from '../../../../src/pipeline/spool/spool.ts';
import { DONE } from '../../../../src/shared/result.ts';
import { batchOfTexts } from '../../../support/batch.ts';
import {
  createScriptedSink,
  type OpenProblem,
  type ScriptedSink,
  type Sending,
  settle,
} from '../scripted-sink.ts';

export interface DeliveryFixture {
  readonly sink: ScriptedSink;
  readonly delivery: Delivery;
  readonly account: SinkAccount;
  readonly spool: Spool;
  readonly ledger: Ledger;
  readonly faults: { readonly reason: string; readonly attempt: number }[];
  readonly latencies: number[];
  /** Emits and appends one batch of these events. */
  append(...texts: string[]): Promise<void>;
  /** The call of `send` at this place; the oldest by default. */
  sending(place?: number): Sending;
  /** Answers the oldest call of `open`. */
  answerOpen(problem?: OpenProblem | null): Promise<void>;
  expectBalance(): void;
}

export function createDeliveryFixture(
  options: Partial<DeliveryOptions> & { maxBytes?: number } = {},
): DeliveryFixture {
  const sink = createScriptedSink();
  const ledger = createLedger(['scripted']);
  const account = ledger.sinks['scripted'];
  if (account === undefined) throw new Error('no account');
  const { spool, readers } = openMemorySpool(ledger.sinks, options.maxBytes ?? 1 << 20, systemFiles);
  const reader = readers.get('scripted');
  if (reader === undefined) throw new Error('no reader');
  const faults: { reason: string; attempt: number }[] = [];
  const latencies: number[] = [];
  const delivery = createDelivery({
    maxInFlight: 2,
    takeLimits: () => ({ maxEvents: 1, maxBytes: 1 }),
    onRefused() {},
    retryInitialMs: 100,
    retryMaxMs: 10_000,
    ...options,
    sink,
    reader,
    account,
    onFault: (reason, attempt) => faults.push({ reason, attempt }),
    onDelivered: (latency) => latencies.push(latency),
  });
  const expectBalance = () => expect(imbalances(ledger)).toEqual([]);
  return {
    sink,
    delivery,
    account,
    spool,
    ledger,
    faults,
    latencies,
    append(...texts) {
      for (const _ of texts) {
        countRecord(ledger);
        emit(ledger);
      }
      spool.append(batchOfTexts(texts), null);
      delivery.pump();
      expectBalance();
      return settle();
    },
    sending(place = 0) {
      const one = sink.sending[place];
      if (one === undefined) throw new Error(`nothing is being sent at ${place}`);
      return one;
    },
    async answerOpen(problem = null) {
      const answer = sink.opening.shift();
      if (answer === undefined) throw new Error('nothing is being opened');
      await answer(problem);
    },
    expectBalance,
  };
}

/** A delivery whose sink is open. */
export async function openFixture(
  ...options: Parameters<typeof createDeliveryFixture>
): Promise<DeliveryFixture> {
  const fixture = createDeliveryFixture(...options);
  const opened = fixture.delivery.open();
  await fixture.answerOpen();
  expect(await opened).toEqual(DONE);
  return fixture;
}

/** Every test of the file has a clock that only it moves. */
export function useFakeClock(): void {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });
}

/** No jitter: every back-off takes its longest. */
export function longestBackOff(): void {
  vi.spyOn(Math, 'random').mockReturnValue(1);
}

/** So much time passes, and everything that is due happens. */
export async function pass(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds);
  await settle();
}
