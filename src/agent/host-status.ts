/** When a `host_status` is emitted, and what the agent says of itself in it. */
import { setTimeout as delay } from 'node:timers/promises';
import { STATUS_CPU } from '../event/gate.ts';
import { eventIdStart } from '../event/host-facts.ts';
import type { SourceKind } from '../event/kinds.ts';
import type { Normalizer } from '../event/normalizer.ts';
import { flatAccount, flatSinkAccounts } from '../ledger/flat-account.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { type Result, refusal, success } from '../shared/result.ts';
import type { HostReport } from '../source/host/report.ts';
import type { Source } from '../source/source.ts';
import type { HostStatusState } from '../telemetry/snapshot.ts';

/** After the start and after a reload, so that it tells of what holds now. */
const FIRST_AFTER_MS = 1000;
/** Whoever may ask for one may not flood the sinks with them. */
const SHORTEST_PAUSE_MS = 1000;

export interface HostStatusSettings {
  /** 0 emits none. */
  readonly intervalSeconds: number;
  /** `configHash` of src/config/hash.ts. */
  readonly configHash: string;
}

export interface HostStatusOptions {
  readonly source: Pick<Source, 'readHost' | 'kernel' | 'session'>;
  readonly sourceKind: SourceKind;
  readonly normalizer: Pick<Normalizer, 'status'>;
  readonly ledger: Ledger;
  readonly version: string;
  readonly settings: HostStatusSettings;
  /** The pipeline cannot take more. */
  readonly isFull: () => boolean;
  /** Sends what was emitted, which no round of reading may follow soon. */
  readonly handOver: () => void;
}

export interface HostStatusEmitter {
  /** Begins to emit in intervals. */
  start(): void;
  /** Emits what a replay gives. */
  replay(report: HostReport): void;
  /** Emits one as soon as the last one is a second old, and gives its `event_id`. Requests that wait share one. */
  request(): Promise<Result<string>>;
  set(settings: HostStatusSettings): void;
  /** Emits the last one. */
  finish(): void;
  state(): HostStatusState;
}

export function createHostStatusEmitter(options: HostStatusOptions): HostStatusEmitter {
  const { source, sourceKind, normalizer, ledger, version, isFull, handOver } = options;
  const isReplay = sourceKind === 'replay';
  let { settings } = options;
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  /** By `performance.now`. */
  let emittedAt = Number.NEGATIVE_INFINITY;
  let lastEventId: string | null = null;
  let requested: Promise<Result<string>> | null = null;

  function emit(report: HostReport): string {
    const agent = { version, sourceKind, configHash: settings.configHash };
    // How far the sinks are depends on the moment, and a replay is to give the same bytes again.
    const account = isReplay ? flatAccount(ledger) : { ...flatAccount(ledger), ...flatSinkAccounts(ledger) };
    const ordinal = normalizer.status({ agent, report, ledger: account });
    emittedAt = performance.now();
    lastEventId = `${eventIdStart(source)}${STATUS_CPU}-${ordinal}`;
    return lastEventId;
  }

  function emitNow(): Result<string> {
    if (settings.intervalSeconds === 0) return refusal('host_status.interval_s is 0: there is none');
    if (isOver) return refusal('the agent is stopping');
    if (isFull()) return refusal('no room: the spool is full, and reading waits');
    const report = source.readHost();
    if (report === null) return refusal('a replay gives those of its recording only');
    const eventId = emit(report);
    handOver();
    return success(eventId);
  }

  function schedule(milliseconds: number): void {
    clearTimeout(timer);
    if (settings.intervalSeconds === 0 || isReplay || isOver) return;
    timer = setTimeout(() => {
      emitNow();
      schedule(settings.intervalSeconds * 1000);
    }, milliseconds);
  }

  async function emitAfterPause(): Promise<Result<string>> {
    await delay(Math.max(0, emittedAt + SHORTEST_PAUSE_MS - performance.now()), undefined, { ref: false });
    requested = null;
    return emitNow();
  }

  return {
    start: () => schedule(FIRST_AFTER_MS),
    replay(report) {
      if (settings.intervalSeconds > 0) emit(report);
    },
    request() {
      requested ??= emitAfterPause();
      return requested;
    },
    set(next) {
      settings = next;
      schedule(FIRST_AFTER_MS);
    },
    finish() {
      clearTimeout(timer);
      emitNow();
      isOver = true;
    },
    state: () => ({
      config_hash: settings.configHash,
      interval_s: settings.intervalSeconds,
      last_event_id: lastEventId,
    }),
  };
}
