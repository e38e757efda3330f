/** One run of the agent as a process: log, telemetry endpoint, signals, and the account at the end. */
import type { Logger } from 'pino';
import type { ConfigResult, LoadedConfig } from '../config/load.ts';
import type { AgentConfig } from '../config/schema.ts';
import { accountLines } from '../ledger/account-lines.ts';
import { createLedger, type Ledger } from '../ledger/ledger.ts';
import type { OpenSpool } from '../pipeline/spool/open.ts';
import type { Account } from '../setting/account.ts';
import { DONE, type Result, success } from '../shared/result.ts';
import { doubtsOf } from '../source/host/identity.ts';
import type { Source } from '../source/source.ts';
import { FAULT_INTERVAL_MS, type FaultLog, rateLimited } from '../telemetry/fault-log.ts';
import { serveTelemetry, type TelemetryServer } from '../telemetry/http.ts';
import { createLogger, type Logging } from '../telemetry/logger.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { watchProcess } from '../telemetry/process.ts';
import { type Agent, createAgent } from './agent.ts';
import { createSinks, sinkNames } from './assembly/sinks.ts';
import { openSource, type SourceNews } from './assembly/source.ts';
import { openSpool } from './assembly/spool.ts';
import { environmentNotes } from './environment.ts';
import { watchHostName } from './host-name.ts';
import { accountToBecome, becomeUser, narrowUmask } from './privileges.ts';
import { catchSignals, type RunSignals } from './run-signals.ts';
import { findServiceManager } from './service-manager.ts';
import { failure, type SessionEnd, sourceFailure } from './session-end.ts';
import { supervise } from './supervision.ts';

export interface SessionOptions {
  readonly loaded: LoadedConfig;
  /** Reads the configuration again, for SIGHUP; null where there is nothing to read. */
  readonly reread: (() => ConfigResult) | null;
  readonly version: string;
  /** Stops the agent when it is aborted. */
  readonly stop?: AbortSignal;
}

/** Runs the agent until its source ends, a signal comes, standard output is closed, or `stop` is aborted. */
export async function runSession(options: SessionOptions): Promise<SessionEnd> {
  const { config } = options.loaded;
  const logging = createLogger({ level: config.log.level });
  const { log } = logging;
  for (const note of environmentNotes(process.env, config)) log.warn({}, note);
  const faults = rateLimited(log, { intervalMs: FAULT_INTERVAL_MS });
  narrowUmask();
  const becoming = accountToBecome(config);
  if (!becoming.ok) return failure('misconfigured', becoming.problem);
  const account = becoming.value;
  const signals = catchSignals(options, logging);
  let sourceEnd: SessionEnd = DONE;
  const news = sourceNews(log, (failed) => {
    sourceEnd = failed;
  });
  const opened = await openSource(config, news, { losesRoot: account !== null });
  if (!opened.ok) {
    signals.forget();
    return sourceFailure(opened);
  }
  const source = opened.value;
  logSource(log, source);
  const storage = await openStorage({ config, account, faults, log });
  if (!storage.ok) {
    await source.stop();
    signals.forget();
    return storage;
  }
  const ran = await runAgent(options, { ...storage.value, source, faults, logging, signals });
  return ran.ok ? sourceEnd : failure('unavailable', ran.problem);
}

function sourceNews(log: Logger, onEnd: (end: SessionEnd) => void): SourceNews {
  return {
    damaged: (problem) => onEnd(failure('damaged', problem)),
    ended: (problem) => onEnd(failure('unavailable', problem)),
    left: (problem) => log.warn({}, problem),
    unreadable: (problem) => log.warn({}, problem),
    withoutModule: (reason) => log.info({ reason }, 'tcp_trace.ko is not used, the native tracepoints are'),
  };
}

function logSource(log: Logger, source: Source): void {
  const { kind, instance, clock, probes, processTracking } = source.status();
  log.info({ source: kind, instance, clock, kernel: source.kernel.release }, 'reading kernel events');
  if (kind !== 'replay') for (const doubt of doubtsOf(source.kernel)) log.warn({}, doubt);
  for (const { name, problem } of probes) {
    if (problem !== null) log.warn({ probe: name }, `probe is off: ${problem}`);
  }
  if (processTracking.problem !== null) log.warn({}, `process tracking is off: ${processTracking.problem}`);
}

interface Storage {
  readonly ledger: Ledger;
  readonly spool: OpenSpool;
}

/** Gives root up, then opens the spool: its files have to belong to the user of the agent. */
async function openStorage({
  config,
  account,
  faults,
  log,
}: {
  config: AgentConfig;
  account: Account | null;
  faults: FaultLog;
  log: Logger;
}): Promise<SessionEnd<Storage>> {
  if (account !== null) {
    const became = becomeUser(account, config);
    if (!became.ok) return failure('misconfigured', became.problem);
    log.info({ ...account }, 'gave up root');
  }
  const ledger = createLedger(sinkNames(config));
  const spool = await openSpool(config, ledger, faults, log);
  return spool.ok ? success({ ledger, spool: spool.value }) : failure('unavailable', spool.problem);
}

interface Opened extends Storage {
  readonly source: Source;
  readonly faults: FaultLog;
  readonly logging: Logging;
  readonly signals: RunSignals;
}

/** Runs the agent to its end, with its telemetry; a refusal is a problem that only an operator can solve. */
async function runAgent(options: SessionOptions, opened: Opened): Promise<Result> {
  const { loaded, version, stop } = options;
  const { config, secrets } = loaded;
  const { source, ledger, spool, faults, logging, signals } = opened;
  const { log } = logging;
  const stdoutClosed = new AbortController();
  const sinks = createSinks(config, {
    version,
    host: source.kernel.hostName,
    secrets,
    log,
    onStdoutClosed: () => stdoutClosed.abort(),
  });
  const processWatch = watchProcess();
  const metrics = createMetrics();
  const agent = createAgent({
    config,
    sinks,
    source,
    ledger,
    spool,
    version,
    log,
    faults,
    processWatch,
    onDelivered: metrics.recordDeliveryLatency,
    onStopping: () => supervision.stopping(),
  });
  const supervision = supervise({
    manager: findServiceManager(process.env, process.pid),
    snapshot: agent.snapshot,
    log,
  });
  const server = await openEndpoint(config, agent, metrics, log);
  signals.direct(agent);
  for (const signal of [stdoutClosed.signal, ...(stop === undefined ? [] : [stop])]) {
    signal.addEventListener('abort', agent.stop, { once: true });
    if (signal.aborted) agent.stop();
  }

  const forgetName = config.source.kind === 'replay' ? () => {} : watchHostName(config.host.name, log);
  const running = agent.run();
  supervision.ready();
  const ran = await running;

  forgetName();
  supervision.close();
  signals.forget();
  await server?.close();
  endLog(agent, faults, log);
  processWatch.close();
  await metrics.close();
  return ran;
}

/**
 * Null where the endpoint is switched off, or cannot be opened: to deliver events matters more than to be watched.
 */
async function openEndpoint(
  { telemetry: { http } }: AgentConfig,
  agent: Agent,
  metrics: Metrics,
  log: Logger,
): Promise<TelemetryServer | null> {
  if (!http.enabled) return null;
  const server = await serveTelemetry({
    address: http.address,
    port: http.port,
    snapshot: agent.snapshot,
    prometheus: () => metrics.prometheus(agent.snapshot),
    emitHostStatus: agent.emitHostStatus,
  });
  if (!server.ok) {
    log.error({}, server.problem);
    return null;
  }
  const { address, port } = server.value;
  log.info({ address, port }, 'telemetry endpoint is open');
  return server.value;
}

function endLog(agent: Agent, faults: FaultLog, log: Logger): void {
  faults.close();
  const { ledger, imbalances } = agent.snapshot();
  log.info({ ledger }, 'stopped');
  for (const line of imbalances)
    log.error({}, `the account does not balance, please report this bug: ${line}`);
  if (process.stderr.isTTY) process.stderr.write(`${accountLines(ledger).join('\n')}\n`);
}
