/** The agent: connects source, normalizer, batcher and deliveries, and stops them again without loss. */
import type { AgentConfig } from '../config/schema.ts';
import { createLimits } from '../event/limits.ts';
import { createNormalizer, type Normalizer, type NormalizerOptions } from '../event/normalizer.ts';
import { createSerializer } from '../event/serializer.ts';
import { type Batcher, type BatcherOptions, createBatcher } from '../pipeline/batcher.ts';
import type { Result } from '../shared/result.ts';
import type { BatchLimits } from '../sink/batch.ts';
import { toWallMilliseconds } from '../source/clock.ts';
import type { ProbeName, ProbeStatus } from '../source/probes.ts';
import type { Source, SourceStatus } from '../source/source.ts';
import type { ProcessWatch } from '../telemetry/process.ts';
import type { TelemetrySnapshot } from '../telemetry/snapshot.ts';
import { createDeliveries, type DeliveriesOptions } from './deliveries.ts';
import { createHandler } from './handler.ts';
import { createHostStatusEmitter } from './host-status.ts';
import { watchSuppression } from './overload.ts';
import { createProgress } from './progress.ts';
import { type Settings, settingsOf } from './settings.ts';
import { takeSnapshot } from './snapshot.ts';
import { createStopping } from './stopping.ts';

export interface AgentOptions extends DeliveriesOptions {
  readonly version: string;
  readonly source: Source;
  readonly processWatch: ProcessWatch;
  /** Called once, when the agent begins to stop. */
  readonly onStopping: () => void;
}

export interface Agent {
  /**
   * Runs until the source ends or `stop` is called, and until what was read is delivered. A refusal is a problem that
   * only an operator can solve, after which the agent has stopped.
   */
  run(): Promise<Result>;
  /** Begins to stop; `run` resolves when that is done. */
  stop(): void;
  /** Takes over what may change while running: exclusions, chosen events, limits, summaries, intervals, batch limits. */
  reload(config: AgentConfig): void;
  /** Emits a `host_status`, within a second, and gives its `event_id`. */
  emitHostStatus(): Promise<Result<string>>;
  snapshot(): TelemetrySnapshot;
}

export function createAgent(options: AgentOptions): Agent {
  const { config, source, faults, ledger, version, processWatch } = options;
  const startedAt = process.hrtime.bigint();
  const settings = settingsOf(config);
  const stopping = createStopping({
    source,
    timeoutMs: config.shutdown.timeout_s * 1000,
    onStopping: options.onStopping,
  });
  const deliveries = createDeliveries(options);
  const progress = createProgress({
    source,
    ledger,
    log: options.log,
    previous: options.spool.mark,
    save: deliveries.mark,
  });
  const batcher = openBatcher(options, settings.batches, (batch) =>
    deliveries.append(batch, progress.markForBatch()),
  );
  const limits = createLimits(settings.limits);
  // Read once: every look asks the kernel.
  const status = source.status();
  const normalizer = openNormalizer(options, settings, status, {
    limits,
    batcher,
    ownSockets: deliveries.sockets,
  });
  const hostStatus = createHostStatusEmitter({
    source,
    sourceKind: status.kind,
    normalizer,
    ledger,
    version,
    settings: settings.hostStatus,
    isFull: () => deliveries.full,
    handOver,
  });
  const reportSuppressed = watchSuppression(ledger, faults);
  const handler = createHandler({
    normalizer,
    ledger,
    faults,
    ready: () => !deliveries.full,
    onHost: hostStatus.replay,
    onAdvance(more) {
      reportSuppressed();
      // Nothing waits in this process. What a round reads is spooled slice by slice, and sent as one request if it fits.
      batcher.flush();
      if (config.spool.enabled) progress.update();
      if (!more) deliveries.pump();
    },
  });

  function handOver(): void {
    batcher.flush();
    deliveries.pump();
  }

  return {
    async run() {
      progress.countCrash();
      // Somebody waits for a replay.
      void deliveries.open(stopping.giveUp, status.kind === 'replay' ? 0 : config.sink.connect_spread_ms);
      const reading = source.run(handler);
      stopping.begin();
      hostStatus.start();
      await reading;
      await stopping.stopped();
      // No record comes any more that could complete a held event.
      normalizer.advance(Number.POSITIVE_INFINITY);
      hostStatus.finish();
      handOver();
      await deliveries.drain(stopping.timeLeftMs());
      return stopping.result();
    },
    stop: stopping.stop,
    reload(next) {
      const changed = settingsOf(next);
      normalizer.choose(changed.events, changed.exclusions);
      limits.set(changed.limits);
      normalizer.summarize(changed.summaries);
      deliveries.setTakeLimits(changed.batches);
      batcher.setLimits(changed.batches);
      handOver();
      source.setLinger(changed.lingerMs);
      hostStatus.set(changed.hostStatus);
    },
    emitHostStatus: hostStatus.request,
    snapshot: () =>
      takeSnapshot({ version, source, normalizer, ledger, deliveries, hostStatus, processWatch, startedAt }),
  };
}

function openBatcher(
  { config, source, spool }: AgentOptions,
  limits: BatchLimits,
  onBatch: BatcherOptions['onBatch'],
): Batcher {
  const { kernel, session, clock } = source;
  return createBatcher({
    serializer: createSerializer({ kernel, session, labels: config.host.labels }, clock),
    limits,
    toWallMs: (time) => toWallMilliseconds(clock, time),
    allocate: spool.spool.allocate,
    onBatch,
  });
}

const RETRANSMIT_PROBES = ['tcp_retransmit_skb', 'tcp_retransmit_synack'] as const;

type Probes = readonly ProbeStatus[];

/** Whether the source gives records of a probe, filtered or not. */
function probeIsOn(probes: Probes, probe: ProbeName): boolean {
  return probes.some(({ name, enabled }) => name === probe && enabled);
}

/** Whether the source gives every record of a probe. */
function seesAll(probes: Probes, probe: ProbeName): boolean {
  return probes.some(({ name, enabled, filter }) => name === probe && enabled && filter === '');
}

function openNormalizer(
  { config, source, ledger }: AgentOptions,
  { events, exclusions, summaries }: Settings,
  { probes }: Pick<SourceStatus, 'probes'>,
  { batcher, ...gates }: Pick<NormalizerOptions, 'limits' | 'ownSockets'> & { batcher: Batcher },
): Normalizer {
  return createNormalizer({
    tasks: source.tasks,
    session: source.session,
    maxConnections: config.tracking.max_connections,
    recordsAccepts: probeIsOn(probes, 'inet_csk_accept'),
    countsRetransmits: RETRANSMIT_PROBES.every((name) => seesAll(probes, name)),
    ledger,
    events,
    exclusions,
    summaries,
    ...gates,
    ownPid: source.ownPid,
    emit: batcher.add,
    onSettled: batcher.settle,
  });
}
