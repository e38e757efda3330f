/** Brings batches to the sinks: through the spool, with an account, a reader and a delivery for each sink. */
import type { Logger } from 'pino';
import type { AgentConfig } from '../config/schema.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { createDeadLetter, type DeadLetter } from '../pipeline/dead-letter.ts';
import { createDelivery, type Delivery } from '../pipeline/delivery.ts';
import type { SpoolMark } from '../pipeline/spool/disk/frame.ts';
import type { OpenSpool } from '../pipeline/spool/open.ts';
import type { BatchLimits, NewBatch } from '../sink/batch.ts';
import { createFileSink } from '../sink/file/file.ts';
import type { Sink, SinkSocket } from '../sink/sink.ts';
import type { FaultLog } from '../telemetry/fault-log.ts';
import type { SinkStatus, SpoolStatus, TelemetrySnapshot } from '../telemetry/snapshot.ts';
import { batchLimitsOf } from './settings.ts';

export interface DeliveriesOptions {
  readonly config: AgentConfig;
  readonly sinks: readonly Sink[];
  /** Has an account for each of the sinks. */
  readonly ledger: Ledger;
  /** Has a reader for each sink. */
  readonly spool: OpenSpool;
  readonly log: Logger;
  readonly faults: FaultLog;
  readonly onDelivered: (sink: string, latencyMs: number) => void;
}

export interface Deliveries {
  /**
   * Opens the sinks, those on the network each after a random part of `spreadMs` milliseconds, and begins to deliver; calls
   * `onProblem` for each problem that only an operator can solve.
   */
  open(onProblem: (problem: string) => void, spreadMs?: number): Promise<void>;
  /**
   * Takes a batch for every sink; its events are `queued` in the accounts of the sinks. They are sent when so many have come
   * together that no larger batch would be taken, or by `pump`.
   */
  append(batch: NewBatch, mark: SpoolMark | null): void;
  /** Sends what waits, as far as each sink can take it. */
  pump(): void;
  /** Puts a mark into the spool that goes with no batch. */
  mark(mark: SpoolMark): void;
  /** Whether there is no room for another batch: the source then has to wait. */
  readonly full: boolean;
  /** Sets how much is sent as one batch from now on, where more than one batch waits. */
  setTakeLimits(limits: BatchLimits): void;
  /** The sockets of all sinks. */
  sockets(): SinkSocket[];
  /** Delivers until nothing is left, the time is over, or `stop` is aborted; then closes everything. */
  drain(timeoutMs: number, stop?: AbortSignal): Promise<void>;
  status(): Pick<TelemetrySnapshot, 'spool' | 'sinks'>;
}

export function createDeliveries(options: DeliveriesOptions): Deliveries {
  const { config, faults, ledger, sinks, spool } = options;
  let takeLimits = batchLimitsOf(config);
  const deadLetter = deadLetterOf(options);
  /** Since the last pump. */
  const appended = { events: 0, bytes: 0 };
  const deliveries: Delivery[] = sinks.map((sink) =>
    createDelivery({
      sink,
      reader: spool.readers.get(sink.name) ?? missing(sink.name),
      account: ledger.sinks[sink.name] ?? missing(sink.name),
      takeLimits: () => takeLimits,
      maxInFlight: config.sink.max_in_flight,
      retryInitialMs: config.sink.retry_initial_ms,
      retryMaxMs: config.sink.retry_max_ms,
      onFault: (reason, attempt) => faults.report('warn', `sink_${sink.name}`, reason, { attempt }),
      onDelivered(latencyMs) {
        faults.settle(`sink_${sink.name}`);
        options.onDelivered(sink.name, latencyMs);
      },
      onRefused: (batch, refused) => deadLetter?.keep(sink.name, batch, refused),
    }),
  );

  function pump(): void {
    appended.events = 0;
    appended.bytes = 0;
    for (const delivery of deliveries) delivery.pump();
  }

  return {
    async open(onProblem, spreadMs) {
      await Promise.all(
        deliveries.map(async (delivery) => {
          const opened = await delivery.open(spreadMs);
          if (!opened.ok) onProblem(`sink ${delivery.name}: ${opened.problem}`);
        }),
      );
    },
    append(batch, mark) {
      spool.spool.append(batch, mark);
      appended.events += batch.count;
      appended.bytes += batch.bytes.length;
      if (appended.events >= takeLimits.maxEvents || appended.bytes >= takeLimits.maxBytes) pump();
    },
    pump,
    mark: spool.spool.mark,
    get full() {
      return spool.spool.full;
    },
    setTakeLimits(limits) {
      takeLimits = limits;
    },
    sockets: () => sinks.flatMap((sink) => sink.sockets?.() ?? []),
    async drain(timeoutMs, stop) {
      await Promise.all(deliveries.map((delivery) => delivery.drain(timeoutMs, stop)));
      await deadLetter?.close();
      await spool.close();
    },
    status: () => ({
      spool: spoolStatus(options),
      sinks: Object.fromEntries(deliveries.map((delivery) => [delivery.name, sinkStatus(delivery)])),
    }),
  };
}

function missing(sink: string): never {
  throw new Error(`sink ${sink} has no account, or no reader`);
}

function deadLetterOf({ config: { dead_letter }, faults, log }: DeliveriesOptions): DeadLetter | null {
  if (dead_letter.path === '') return null;
  return createDeadLetter({
    file: createFileSink({ path: dead_letter.path, maxBytes: dead_letter.max_bytes, maxFiles: 2, log }),
    onFault: (problem) => faults.report('error', 'dead_letter', problem),
    now: () => new Date(),
  });
}

function spoolStatus({ config, spool: { spool, segments } }: DeliveriesOptions): SpoolStatus {
  return {
    directory: spool.isDurable ? config.spool.directory : null,
    bytes: spool.bytes,
    max_bytes: spool.isDurable ? config.spool.max_bytes : config.queue.max_bytes,
    segments: segments(),
    memory_bytes: spool.memoryBytes,
    full: spool.full,
    problem: spool.problem,
  };
}

function sinkStatus(delivery: Delivery): SinkStatus {
  const { state, problem, batchesSent, retries, window, lastAcknowledged } = delivery.status();
  return {
    state,
    problem,
    batches_sent: batchesSent,
    retries,
    window,
    last_acknowledged: lastAcknowledged === null ? null : new Date(lastAcknowledged).toISOString(),
  };
}
