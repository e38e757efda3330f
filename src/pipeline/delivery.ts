/**
 * Delivers the batches of one sink: a bounded number in flight, each sent again until every event of it is settled, and
 * every event booked.
 */
import { type SinkAccount, waiting } from '../ledger/ledger.ts';
import { DONE, type Result, refusal } from '../shared/result.ts';
import type { Batch, BatchLimits } from '../sink/batch.ts';
import type { Readiness, Refusal, SendResult, Sink } from '../sink/sink.ts';
import { createProgress, type DeliveryStatus } from './progress.ts';
import { bookAnswer, type Settlement, settlementOf } from './settlement.ts';
import type { SpoolReader } from './spool/reader.ts';
import { type BackOffLimits, backOffMs, createPauses, createWait, type Pauses, type Wait } from './wait.ts';
import { createWindow } from './window.ts';

export interface DeliveryOptions extends BackOffLimits {
  readonly sink: Sink;
  readonly reader: SpoolReader;
  readonly account: SinkAccount;
  /** The most batches in flight; how many there are at a time follows what the sink can take. */
  readonly maxInFlight: number;
  /** How much is sent as one batch where more than one waits. */
  readonly takeLimits: () => BatchLimits;
  /** Is called with one line for each fault, and how many attempts were made until then. */
  readonly onFault: (reason: string, attempt: number) => void;
  /** Is called for every batch of which events were acknowledged, with the age of its oldest event in milliseconds. */
  readonly onDelivered: (latencyMs: number) => void;
  /** Is called with events that the sink will never take; where it does not say which, with all that it may mean. */
  readonly onRefused: (batch: Batch, refused: readonly Refusal[]) => void;
}

/** The delivery of the batches of one sink. */
export interface Delivery {
  readonly name: string;
  /**
   * Opens the sink, one on the network after a random part of `spreadMs` milliseconds, and starts to send. Refused only for a
   * problem that an operator has to solve.
   */
  open(spreadMs?: number): Promise<Result>;
  /** Sends what waits in the spool, as far as the window allows. */
  pump(): void;
  /**
   * Waits until everything is delivered, at most `timeoutMs`, or until `stop` is aborted. Then closes the sink, and
   * leaves the rest to the spool.
   */
  drain(timeoutMs: number, stop?: AbortSignal): Promise<void>;
  status(): DeliveryStatus;
}

/**
 * Opens a sink until it is ready or the pauses are stopped; resolves with a problem that only an operator can solve.
 */
async function openSink(
  sink: Sink,
  pauses: Pauses,
  limits: BackOffLimits,
  onFault: (problem: string, attempt: number) => void,
): Promise<Readiness> {
  for (let attempt = 1; !pauses.isStopped; attempt++) {
    const opened = await sink.open();
    if (opened.ok || !opened.mayPass) return opened;
    onFault(opened.problem, attempt);
    await pauses.pause(backOffMs(limits, attempt));
  }
  return DONE;
}

/** A delivery that sends nothing before it is opened. It books every event in the account of its sink. */
export function createDelivery(options: DeliveryOptions): Delivery {
  const { sink, reader, account } = options;
  const window = createWindow(options.maxInFlight);
  const pauses = createPauses();
  const progress = createProgress();
  let inFlight = 0;
  /** Of the batches in flight, those that are sent again. */
  let retrying = 0;
  /** From then on nothing is booked any more. */
  let isClosed = false;
  let draining: Wait | null = null;

  function noteFault(reason: string, attempt: number): void {
    progress.noteFault(reason);
    window.shrink();
    options.onFault(reason, attempt);
  }

  /** There is nothing left that can be delivered. */
  function isDone(): boolean {
    return progress.state === 'failed' || waiting(account) === 0;
  }

  function pump(): void {
    // While a batch is sent again the state is not ready, and newer batches wait: order matters more than speed.
    while (progress.state === 'ready' && !pauses.isStopped && inFlight < window.size) {
      const batch = reader.take(options.takeLimits());
      if (batch === null) break;
      inFlight++;
      void deliver(batch);
    }
    if (inFlight === 0 && isDone()) draining?.end();
  }

  async function deliver(batch: Batch): Promise<void> {
    let rest = batch;
    for (let attempt = 0; ; attempt++) {
      const result = await sink.send(rest);
      // What was not settled by then belongs to the spool again.
      if (isClosed) return;
      const { again } = settle(rest, result);
      if (again === null) {
        if (attempt > 0) retrying--;
        break;
      }
      if (pauses.isStopped) return;
      if (attempt === 0) retrying++;
      noteFault(again.retry.reason, attempt + 1);
      await pauses.pause(again.retry.afterMs ?? backOffMs(options, attempt));
      if (pauses.isStopped) return;
      rest = again.batch;
    }
    if (retrying === 0) progress.becomeReady();
    window.grow();
    inFlight--;
    reader.settle(batch);
    pump();
  }

  function settle(batch: Batch, result: SendResult): Settlement {
    const settlement = settlementOf(batch, result);
    bookAnswer(account, result, settlement);
    if (settlement.refused.length > 0) options.onRefused(batch, settlement.refused);
    if (settlement.acknowledged > 0) {
      const nowMs = Date.now();
      progress.noteAcknowledged(nowMs);
      options.onDelivered(nowMs - batch.oldestMs);
    }
    return settlement;
  }

  return {
    name: sink.name,
    async open(spreadMs = 0) {
      // A fleet that was without power, or was upgraded, starts at one moment. A file or a pipe has nobody to be spared.
      if (spreadMs > 0 && sink.sockets !== undefined) await pauses.pause(Math.random() * spreadMs);
      const opened = await openSink(sink, pauses, options, noteFault);
      if (!opened.ok) {
        progress.fail(opened.problem);
        draining?.end();
        return refusal(opened.problem);
      }
      if (pauses.isStopped) return DONE;
      progress.becomeReady();
      pump();
      return DONE;
    },
    pump,
    async drain(timeoutMs, stop) {
      if (!isDone() && stop?.aborted !== true) {
        draining = createWait(timeoutMs, stop);
        await draining.over;
      }
      pauses.stop();
      await sink.close();
      isClosed = true;
      reader.close();
    },
    status: () => ({ ...progress.status(), window: window.size }),
  };
}
