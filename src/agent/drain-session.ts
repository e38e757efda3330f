/** Delivers what is in the spool, without a source: the end of an agent's life, as `ktc spool drain`. */
import type { LoadedConfig } from '../config/load.ts';
import { createLedger, type Ledger } from '../ledger/ledger.ts';
import { readIdentity } from '../source/host/identity.ts';
import { FAULT_INTERVAL_MS, rateLimited } from '../telemetry/fault-log.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createSinks, sinkNames } from './assembly/sinks.ts';
import { openSpool } from './assembly/spool.ts';
import { createDeliveries } from './deliveries.ts';
import { accountToBecome, becomeUser, narrowUmask } from './privileges.ts';

export interface DrainOptions {
  readonly loaded: LoadedConfig;
  readonly version: string;
  /** May be Infinity. */
  readonly timeoutMs: number;
  /** Hears every other second how far it has come. */
  readonly onProgress: (ledger: Ledger) => void;
  /** Hears the account at the end. */
  readonly onAccount: (ledger: Ledger) => void;
}

export type DrainEnd =
  /** `damaged`: what could be read is delivered. */
  | { readonly kind: 'empty' | 'damaged' }
  /** Whatever is left is in the spool; `problem` says what is in the way. */
  | { readonly kind: 'left'; readonly problem: string }
  | { readonly kind: 'unavailable' | 'misconfigured'; readonly problem: string };

const PROGRESS_MS = 2_000;

/** Runs until every sink has settled every event, the time is over, or SIGTERM or SIGINT comes. */
export async function drainSession(options: DrainOptions): Promise<DrainEnd> {
  const { loaded, version, timeoutMs, onProgress, onAccount } = options;
  const { secrets } = loaded;
  // Events of a time when it was on may be there still.
  const config = { ...loaded.config, spool: { ...loaded.config.spool, enabled: true } };
  const { log } = createLogger({ level: config.log.level });
  const faults = rateLimited(log, { intervalMs: FAULT_INTERVAL_MS });
  narrowUmask();
  const becoming = accountToBecome(config);
  if (!becoming.ok) return { kind: 'misconfigured', problem: becoming.problem };
  // What the spool and the sinks write is this user's.
  const refusal = becoming.value === null ? null : becomeUser(becoming.value, config);
  if (refusal !== null) return { kind: 'misconfigured', problem: refusal };

  const stopping = new AbortController();
  const stop = () => stopping.abort();
  // The second signal ends the process at once.
  process.once('SIGTERM', stop).once('SIGINT', stop);
  try {
    const ledger = createLedger(sinkNames(config));
    const spool = await openSpool(config, ledger, faults, log);
    if (!spool.ok) return { kind: 'unavailable', problem: spool.problem };
    const sinks = await createSinks(config, {
      version,
      host: readIdentity(config.host.name).hostName,
      secrets,
      log,
      onStdoutClosed: stop,
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
    await deliveries.drain(timeoutMs, stopping.signal);
    clearInterval(ticker);
    faults.close();
    onAccount(ledger);
    if (operatorProblem !== null) return { kind: 'unavailable', problem: operatorProblem };
    const { sinks: statuses } = deliveries.status();
    const left = Object.entries(ledger.sinks).flatMap(([name, { spooled }]) => {
      if (spooled === 0) return [];
      const why = statuses[name]?.problem ?? null;
      return `sink ${name}: ${spooled} events are left in the spool${why === null ? '' : `: ${why}`}`;
    });
    if (left.length > 0) return { kind: 'left', problem: left.join('; ') };
    const damaged = Object.values(ledger.sinks).some(({ dropped }) => (dropped['spool_damaged'] ?? 0) > 0);
    return { kind: damaged ? 'damaged' : 'empty' };
  } finally {
    process.off('SIGTERM', stop).off('SIGINT', stop);
  }
}
