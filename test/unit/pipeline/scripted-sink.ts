/** A destination that does as it is told: the outside world of the delivery, and what it may rely on. */

import { expect } from 'vitest';
import { countRecord, emit } from '../../../src/ledger/booking.ts';
import { createLedger, imbalances, type Ledger, type SinkAccount } from '../../../src/ledger/ledger.ts';
import { createDelivery, type Delivery, type DeliveryOptions } from '../../../src/pipeline/delivery.ts';
import { systemFiles } from '../../../src/pipeline/spool/disk/files.ts';
import { openMemorySpool } from '../../../src/pipeline/spool/open.ts';
import type { Spool } from '../../../src/pipeline/spool/spool.ts';
import { DONE } from '../../../src/shared/result.ts';
import { type Batch, eventAt, type NewBatch } from '../../../src/sink/batch.ts';
import { notReady, type SendResult, type Sink } from '../../../src/sink/sink.ts';
import { batchOfTexts } from '../../support/batch.ts';

/** Why the destination is not ready. */
export interface OpenProblem {
  readonly problem: string;
  readonly mayPass: boolean;
}

/** One call of `send` that waits for its answer. */
export interface Sending {
  readonly batch: Batch;
  /** The events of the batch, as text. */
  readonly texts: readonly string[];
  answer(result: SendResult): Promise<void>;
}

export interface ScriptedSink extends Sink {
  readonly sending: Sending[];
  readonly opening: ((problem: OpenProblem | null) => Promise<void>)[];
  readonly sent: (readonly string[])[];
  readonly closed: number;
}

/** The events of a batch, as text. */
export function textsOf(batch: NewBatch): string[] {
  return Array.from({ length: batch.count }, (_, index) => eventAt(batch, index).toString());
}

/** All that is due in promises; no time passes. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

export function createScriptedSink(): ScriptedSink {
  const sending: Sending[] = [];
  const opening: ((problem: OpenProblem | null) => Promise<void>)[] = [];
  const sent: string[][] = [];
  let isOpen = false;
  let closed = 0;
  return {
    name: 'scripted',
    sending,
    opening,
    sent,
    get closed() {
      return closed;
    },
    open: () =>
      new Promise((resolve) => {
        opening.push((problem) => {
          isOpen = problem === null;
          resolve(problem === null ? DONE : notReady(problem.problem, problem.mayPass));
          return settle();
        });
      }),
    send(batch) {
      const texts = textsOf(batch);
      sent.push(texts);
      // The contract of the interface: never before it is open, never after it is closed, and what it says.
      expect(isOpen).toBe(true);
      expect(closed).toBe(0);
      expect(batch.count).toBeGreaterThan(0);
      expect(batch.offsets).toHaveLength(batch.count + 1);
      expect([batch.offsets[0], batch.offsets[batch.count]]).toEqual([0, batch.bytes.length]);
      expect(batch.bytes.toString('utf8')).toBe(texts.map((text) => `${text}\n`).join(''));
      return new Promise((resolve) => {
        const one: Sending = {
          batch,
          texts,
          answer(result) {
            sending.splice(sending.indexOf(one), 1);
            resolve(result);
            return settle();
          },
        };
        sending.push(one);
      });
    },
    async close() {
      closed++;
    },
  };
}

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
