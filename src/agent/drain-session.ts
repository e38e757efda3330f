/** Delivers what is in the spool, without a source, as `ktc spool drain`. */
import type { LoadedConfig } from '../config/load.ts';
import { createLedger, type Ledger } from '../ledger/ledger.ts';
import { DONE } from '../shared/result.ts';
import { readIdentity } from '../source/host/identity.ts';
import { FAULT_INTERVAL_MS, rateLimited } from '../telemetry/fault-log.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createSinks, sinkNames } from './assembly/sinks.ts';
import { openSpool } from './assembly/spool.ts';
import { createDeliveries, type Deliveries } from './deliveries.ts';
import { accountToBecome, becomeUser, narrowUmask } from './privileges.ts';
import { failure, type SessionEnd } from './session-end.ts';
import { abortOnSignal } from './signals.ts';

export interface DrainOptions {
  readonly loaded: LoadedConfig;
  readonly version: string;
  /** Infinity waits until the spool is empty. */
  readonly timeoutMs: number;
  /** Called every other second while events are delivered. */
  readonly onProgress: (ledger: Ledger) => void;
  /** Called at the end with the whole account. */
  readonly onAccount: (ledger: Ledger) => void;
}

const PROGRESS_MS = 2_000;

/** Runs until every sink has settled every event, the time is over, or SIGTERM or SIGINT comes. */
export async function drainSession(options: DrainOptions): Promise<SessionEnd> {
  const { loaded } = options;
  // Events from a time when the spool was enabled may be in it still.
  const config = { ...loaded.config, spool: { ...loaded.config.spool, enabled: true } };
  narrowUmask();
  const becoming = accountToBecome(config);
  if (!becoming.ok) return failure('misconfigured', becoming.problem);
  // This user has to own everything that the spool and the sinks write.
  const became = becoming.value === null ? DONE : becomeUser(becoming.value, config);
  if (!became.ok) return failure('misconfigured', became.problem);

  const stop = abortOnSignal();
  try {
    return await drain({ ...options, loaded: { ...loaded, config } }, stop);
  } finally {
    stop.forget();
  }
}

async function drain(
  options: DrainOptions,
  { signal, abort }: ReturnType<typeof abortOnSignal>,
): Promise<SessionEnd> {
  const { loaded, version, timeoutMs, onProgress, onAccount } = options;
  const { config, secrets } = loaded;
  const { log } = createLogger({ level: config.log.level });
  const faults = rateLimited(log, { intervalMs: FAULT_INTERVAL_MS });
  const ledger = createLedger(sinkNames(config));
  const spool = await openSpool(config, ledger, faults, log);
  if (!spool.ok) return failure('unavailable', spool.problem);
  const sinks = createSinks(config, {
    version,
    host: readIdentity(config.host.name).hostName,
    secrets,
    log,
    onStdoutClosed: abort,
  });
  const deliveries = createDeliveries({
    config,
    sinks,
    ledger,
    spool: spool.value,
    log,
    faults,
    onDelivered() {},
  });
  let operatorProblem: string | null = null;
  void deliveries.open((problem) => {
    operatorProblem ??= problem;
  });
  const ticker = setInterval(() => onProgress(ledger), PROGRESS_MS);
  await deliveries.drain(timeoutMs, signal);
  clearInterval(ticker);
  faults.close();
  onAccount(ledger);
  return operatorProblem === null ? endOf(ledger, deliveries) : failure('unavailable', operatorProblem);
}

function endOf(ledger: Ledger, deliveries: Deliveries): SessionEnd {
  const { sinks } = deliveries.status();
  const left = Object.entries(ledger.sinks).flatMap(([name, { spooled }]) => {
    if (spooled === 0) return [];
    const why = sinks[name]?.problem ?? null;
    return `sink ${name}: ${spooled} events are left in the spool${why === null ? '' : `: ${why}`}`;
  });
  if (left.length > 0) return failure('left', left.join('; '));
  const isDamaged = Object.values(ledger.sinks).some(({ dropped }) => (dropped.spool_damaged ?? 0) > 0);
  return isDamaged
    ? failure('damaged', 'some events of the spool were damaged and are lost: dropped as spool_damaged')
    : DONE;
}
