/** The agent: puts source, normalizer, batcher and deliveries together, and takes them apart again without loss. */
import type { AgentConfig } from '../config/schema.ts';
import { parseRange } from '../event/address.ts';
import type { Exclusions } from '../event/exclusions.ts';
import { createLimits } from '../event/limits.ts';
import { createNormalizer } from '../event/normalizer.ts';
import { createSerializer } from '../event/serializer.ts';
import { SINGLE_EVENT_KINDS, type SingleEventKind } from '../event/tcp-event.ts';
import { countMalformedRecord, lose } from '../ledger/booking.ts';
import { imbalances } from '../ledger/ledger.ts';
import { LOSS_REASONS } from '../ledger/reasons.ts';
import { createBatcher } from '../pipeline/batcher.ts';
import type { SpoolMark } from '../pipeline/spool/disk/frame.ts';
import { toWallMilliseconds } from '../source/clock.ts';
import type { ProbeName } from '../source/probes.ts';
import type { RecordHandler, Source } from '../source/source.ts';
import type { ProcessWatch } from '../telemetry/process.ts';
import type { TelemetrySnapshot } from '../telemetry/snapshot.ts';
import { createDeliveries, type DeliveriesOptions } from './deliveries.ts';
import { limitsOf, summariesOf, watchSuppression } from './overload.ts';

export interface AgentOptions extends DeliveriesOptions {
  readonly version: string;
  readonly source: Source;
  readonly processWatch: ProcessWatch;
}

export interface Agent {
  /**
   * Runs until the source ends or `stop` is called, and until what was read is delivered. Gives the problem that
   * only an operator can mend, after which the agent has stopped, or null.
   */
  run(): Promise<string | null>;
  /** Begins to stop; `run` resolves when that is done. */
  stop(): void;
  /** Takes over what may change while running: exclusions, chosen events, limits, summaries, batch limits. */
  reload(config: AgentConfig): void;
  snapshot(): TelemetrySnapshot;
}

function wantedEvents({ events }: AgentConfig): ReadonlySet<SingleEventKind> {
  return new Set(SINGLE_EVENT_KINDS.filter((kind) => events[kind]));
}

function exclusionsOf({ exclude }: AgentConfig): Exclusions {
  return {
    ranges: exclude.addresses.flatMap((text) => parseRange(text) ?? []),
    ports: new Set(exclude.ports),
    comms: new Set(exclude.comms),
  };
}

/** What is not spooled is lost when the agent is killed: no more than what `spool.fsync_interval_ms` puts at risk. */
function batchLimits({ batch, spool }: AgentConfig) {
  const lingerMs = spool.enabled ? Math.min(batch.linger_ms, spool.fsync_interval_ms) : batch.linger_ms;
  return { maxEvents: batch.max_events, maxBytes: batch.max_bytes, lingerMs };
}

const RETRANSMIT_PROBES = ['tcp_retransmit_skb', 'tcp_retransmit_synack'] as const;

function probeIsOn(source: Source, probe: ProbeName): boolean {
  return source.status().probes.some(({ name, enabled }) => name === probe && enabled);
}

/** Whether every record of a probe comes. */
function seesAll(source: Source, probe: ProbeName): boolean {
  return source
    .status()
    .probes.some(({ name, enabled, filter }) => name === probe && enabled && filter === '');
}

export function createAgent(options: AgentOptions): Agent {
  const { config, source, log, faults, ledger, spool } = options;
  const startedAt = process.hrtime.bigint();
  const deliveries = createDeliveries(options);
  const batcher = createBatcher({
    serializer: createSerializer(
      { kernel: source.kernel, session: source.session, labels: config.host.labels },
      source.clock,
    ),
    limits: batchLimits(config),
    toWallMs: (time) => toWallMilliseconds(source.clock, time),
    onBatch(batch) {
      const mark = markOf();
      markedRecords = mark?.records ?? 0;
      deliveries.append(batch, mark);
    },
  });
  let markedRecords = 0;
  let markedAt = Number.NEGATIVE_INFINITY;

  function markOf(): SpoolMark | null {
    const position = source.position();
    return position === null ? null : { ...position, held: ledger.held };
  }

  /** Everything read so far has been dealt with: spools it, or at least how far that is. */
  function markProgress(): void {
    if (!config.spool.enabled) return;
    if (config.spool.fsync_interval_ms === 0) batcher.flush();
    if (!batcher.isEmpty) return;
    const now = performance.now();
    if (now - markedAt < config.spool.fsync_interval_ms) return;
    markedAt = now;
    const mark = markOf();
    if (mark === null || mark.records === markedRecords) return;
    markedRecords = mark.records;
    deliveries.mark(mark);
  }

  const limits = createLimits(limitsOf(config));
  const reportSuppressed = watchSuppression(ledger, faults);
  const isLive = source.status().kind !== 'replay';
  const normalizer = createNormalizer({
    tasks: source.tasks,
    session: source.session,
    maxConnections: config.tracking.max_connections,
    recordsAccepts: probeIsOn(source, 'inet_csk_accept'),
    countsRetransmits: RETRANSMIT_PROBES.every((name) => seesAll(source, name)),
    ledger,
    events: wantedEvents(config),
    exclusions: exclusionsOf(config),
    limits,
    summaries: summariesOf(config),
    ownPid: isLive ? process.pid : null,
    ownSockets: deliveries.sockets,
    emit: batcher.add,
    onSettled: batcher.settle,
  });

  const handler: RecordHandler = {
    ready: () => !deliveries.full,
    existing: normalizer.existing,
    record: normalizer.accept,
    malformedRecord() {
      countMalformedRecord(ledger);
    },
    malformedPage() {
      lose(ledger, 'malformed_page');
      faults.report('warn', 'malformed_page', LOSS_REASONS.malformed_page.advice);
    },
    lost(reason, records, detail) {
      lose(ledger, reason, records);
      normalizer.lost();
      const fields = detail === undefined ? { records } : { detail };
      faults.report('warn', reason, LOSS_REASONS[reason].advice, fields);
    },
    advance(time) {
      normalizer.advance(time);
      reportSuppressed();
      markProgress();
    },
  };

  /** What the agent before this one had in its memory when it was killed. */
  function countCrash(): void {
    const position = source.position();
    const { mark } = spool;
    if (position === null || mark === null || !mark.instance.equals(position.instance)) return;
    const records = position.records - mark.records + mark.held;
    if (records > 0) {
      lose(ledger, 'crash', records);
      log.warn({ records }, LOSS_REASONS.crash.advice);
    }
    // Should this run be killed before it spools anything, the next one must not count them again.
    deliveries.mark({ ...position, held: 0 });
  }

  let running = false;
  let stopWanted = false;
  let stopping: Promise<void> | null = null;
  let operatorProblem: string | null = null;

  /** When everything has to be delivered, on the clock of `performance.now`. */
  let deadline = Number.POSITIVE_INFINITY;

  function stop(): Promise<void> {
    if (stopping === null) {
      const patienceMs = config.shutdown.timeout_s * 1000;
      deadline = performance.now() + patienceMs;
      stopping = source.stop(operatorProblem === null ? patienceMs : 0);
    }
    return stopping;
  }

  function giveUp(problem: string): void {
    operatorProblem ??= problem;
    void stop();
  }

  return {
    async run() {
      running = true;
      countCrash();
      void deliveries.open(giveUp);
      const reading = source.run(handler);
      if (stopWanted) void stop();
      await reading;
      await stop();
      // Nothing comes any more that could complete what is held.
      normalizer.advance(Number.POSITIVE_INFINITY);
      batcher.flush();
      await deliveries.drain(Math.max(0, deadline - performance.now()));
      return operatorProblem;
    },
    stop() {
      // A source that is stopped before it runs could not give what the kernel holds already.
      if (running) void stop();
      else stopWanted = true;
    },
    reload(next) {
      normalizer.choose(wantedEvents(next), exclusionsOf(next));
      limits.set(limitsOf(next));
      normalizer.summarize(summariesOf(next));
      const batching = batchLimits(next);
      deliveries.setTakeLimits(batching);
      batcher.setLimits(batching);
    },
    snapshot() {
      const status = source.status();
      return {
        version: options.version,
        host: source.kernel.hostName,
        uptime_s: Number(process.hrtime.bigint() - startedAt) / 1e9,
        ledger,
        imbalances: imbalances(ledger),
        source: {
          ...status,
          open: true,
          problem: null,
          probes: status.probes.map(({ name, enabled, filter, problem }) => ({
            name,
            enabled,
            filter: filter === '' ? null : filter,
            ...(problem !== null && { problem }),
          })),
        },
        tracking: { connections: normalizer.connections, evicted: normalizer.evicted },
        ...deliveries.status(),
        process: options.processWatch.read(),
      };
    },
  };
}
