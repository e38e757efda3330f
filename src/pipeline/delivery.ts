/** Brings one sink's batches to it: bounded in flight, tried again for as long as it takes, every event accounted. */
import { acknowledge, reject } from '../ledger/booking.ts';
import { type SinkAccount, waiting } from '../ledger/ledger.ts';
import type { RejectReason } from '../ledger/reasons.ts';
import { type Batch, selectEvents } from '../sink/batch.ts';
import type { Refusal, SendResult, Sink, SinkProblem } from '../sink/sink.ts';
import type { SpoolReader, TakeLimits } from './spool/reader.ts';

export interface DeliveryOptions {
  readonly sink: Sink;
  readonly reader: SpoolReader;
  readonly account: SinkAccount;
  /** The most batches in flight; how many there are at a time follows what the sink can take. */
  readonly maxInFlight: number;
  /** How much is sent as one batch where more than one waits. */
  readonly takeLimits: () => TakeLimits;
  readonly retryInitialMs: number;
  readonly retryMaxMs: number;
  /** Hears one line for each fault, and how often it has been tried. */
  readonly onFault: (reason: string, attempt: number) => void;
  /** Hears of every batch that is acknowledged, with the age of its oldest event. */
  readonly onDelivered: (latencyMs: number) => void;
  /** Hears of events that the sink will never take; where it does not say which, of all that it may be. */
  readonly onRefused: (batch: Batch, refused: readonly Refusal[]) => void;
}

export type DeliveryState = 'opening' | 'ready' | 'retrying' | 'failed';

export interface DeliveryStatus {
  readonly state: DeliveryState;
  readonly problem: string | null;
  readonly batchesSent: number;
  readonly retries: number;
  /** Batches that may be in flight at a time now. */
  readonly window: number;
  /** Milliseconds since 1970, or null. */
  readonly lastAcknowledged: number | null;
}

export interface Delivery {
  readonly name: string;
  /** Opens the sink and starts to send; the problem that only an operator can mend, or null. */
  open(): Promise<string | null>;
  /** There may be something to send. */
  pump(): void;
  /**
   * Waits until everything is delivered, for so long at most, or until `stop` is aborted. Closes the sink, and leaves
   * the rest to the spool.
   */
  drain(timeoutMs: number, stop?: AbortSignal): Promise<void>;
  status(): DeliveryStatus;
}

/** What a longer timer of Node.js becomes is 1 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What of a batch is to be sent again, or null. */
function remainder(batch: Batch, { refused, retry }: SendResult): Batch | null {
  if (retry === null) return null;
  if (retry.events === 'rest' && refused.length === 0) return batch;
  const gone = new Set(refused.map(({ index }) => index));
  const indexes =
    retry.events === 'rest'
      ? Array.from({ length: batch.count }, (_, index) => index).filter((index) => !gone.has(index))
      : retry.events;
  return indexes.length === 0 ? null : selectEvents(batch, indexes);
}

/** Where the destination does not say which events it has refused, each that it may have. */
function suspects(batch: Batch, { refused, retry }: SendResult, reason: RejectReason): Refusal[] {
  const others = new Set(refused.map(({ index }) => index));
  if (retry !== null && retry.events !== 'rest') for (const index of retry.events) others.add(index);
  return Array.from({ length: batch.count }, (_, index) => ({ index, reason })).filter(
    ({ index }) => !others.has(index),
  );
}

export function createDelivery(options: DeliveryOptions): Delivery {
  const { sink, reader, account } = options;
  let state: DeliveryState = 'opening';
  let problem: string | null = null;
  let inFlight = 0;
  let retrying = 0;
  let batchesSent = 0;
  let retries = 0;
  let lastAcknowledged: number | null = null;
  let isOpen = false;
  /** Nothing more is begun. */
  let stopped = false;
  /** Nothing more is booked. */
  let closed = false;
  let window = options.maxInFlight;
  let onIdle: (() => void) | null = null;
  const wakeups = new Set<() => void>();

  /** Waits, but no longer than until the delivery is stopped. */
  function pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        wakeups.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.min(milliseconds, MAX_TIMER_MS));
      wakeups.add(wake);
    });
  }

  /** Exponential with full jitter, so that a fleet does not come back in step. */
  function backOff(attempt: number): number {
    return Math.random() * Math.min(options.retryMaxMs, options.retryInitialMs * 2 ** Math.min(attempt, 20));
  }

  function fault(reason: string, attempt: number): void {
    state = 'retrying';
    problem = reason;
    retries++;
    window = Math.max(1, window / 2);
    options.onFault(reason, attempt);
  }

  /** One more in flight for every window of batches that went well (RFC 5681, congestion avoidance). */
  function widen(): void {
    window = Math.min(options.maxInFlight, window + 1 / window);
  }

  /** While one batch is tried again, newer ones wait: order matters more than haste. */
  function mayTake(): boolean {
    return isOpen && !stopped && retrying === 0 && inFlight < Math.floor(window);
  }

  function pump(): void {
    while (mayTake()) {
      const batch = reader.take(options.takeLimits());
      if (batch === null) break;
      inFlight++;
      void deliver(batch);
    }
    if (inFlight === 0) onIdle?.();
  }

  async function deliver(batch: Batch): Promise<void> {
    let rest: Batch | null = batch;
    for (let attempt = 0; rest !== null; attempt++) {
      const sent: Batch = rest;
      const result = await sink.send(sent);
      // What was not settled by then is the spool's again.
      if (closed) return;
      rest = settleEvents(sent, result);
      if (rest !== null && stopped) return;
      if (result.retry !== null && rest !== null) {
        if (attempt === 0) retrying++;
        fault(result.retry.reason, attempt + 1);
        await pause(result.retry.afterMs ?? backOff(attempt));
        if (stopped) return;
      } else if (attempt > 0) {
        retrying--;
      }
    }
    if (retrying === 0) becomeReady();
    widen();
    inFlight--;
    reader.settle(batch);
    pump();
  }

  /** Books what the sink said; gives what is to be sent again. */
  function settleEvents(batch: Batch, result: SendResult): Batch | null {
    const rest = remainder(batch, result);
    const unnamed = result.refusedUnnamed;
    const acknowledged = batch.count - result.refused.length - (unnamed?.count ?? 0) - (rest?.count ?? 0);
    for (const { reason } of result.refused) reject(account, reason, 1);
    if (unnamed) reject(account, unnamed.reason, unnamed.count);
    const refused = unnamed ? result.refused.concat(suspects(batch, result, unnamed.reason)) : result.refused;
    if (refused.length > 0) options.onRefused(batch, refused);
    acknowledge(account, acknowledged);
    if (acknowledged > 0) {
      batchesSent++;
      lastAcknowledged = Date.now();
      options.onDelivered(lastAcknowledged - batch.oldestMs);
    }
    return rest;
  }

  /** There is nothing left that can be delivered. */
  function isDone(): boolean {
    return state === 'failed' || waiting(account) === 0;
  }

  function becomeReady(): void {
    state = 'ready';
    problem = null;
  }

  async function openSink(): Promise<SinkProblem | null> {
    for (let attempt = 1; !stopped; attempt++) {
      const found = await sink.open();
      if (found === null || !found.mayPass) return found;
      fault(found.problem, attempt);
      state = 'opening';
      await pause(backOff(attempt));
    }
    return null;
  }

  return {
    name: sink.name,
    async open() {
      const found = await openSink();
      if (found !== null) {
        state = 'failed';
        problem = found.problem;
        onIdle?.();
        return found.problem;
      }
      if (!stopped) {
        isOpen = true;
        becomeReady();
        pump();
      }
      return null;
    },
    pump,
    async drain(timeoutMs, stop) {
      if (!isDone() && stop?.aborted !== true) {
        await new Promise<void>((resolve) => {
          const end = () => {
            clearTimeout(timer);
            stop?.removeEventListener('abort', end);
            resolve();
          };
          const timer = setTimeout(end, Math.min(timeoutMs, MAX_TIMER_MS));
          stop?.addEventListener('abort', end);
          onIdle = () => {
            if (isDone()) end();
          };
        });
      }
      stopped = true;
      for (const wake of wakeups) wake();
      await sink.close();
      closed = true;
      reader.close();
    },
    status: () => ({ state, problem, batchesSent, retries, window: Math.floor(window), lastAcknowledged }),
  };
}
