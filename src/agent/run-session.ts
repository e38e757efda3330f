/** One run of the agent as a process: log, telemetry endpoint, signals, reload, and the account at the end. */
import { compareConfigs } from '../config/compare.ts';
import type { ConfigResult, LoadedConfig } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import type { AgentConfig } from '../config/schema.ts';
import { accountLines } from '../ledger/account-lines.ts';
import { createLedger } from '../ledger/ledger.ts';
import type { Source } from '../source/source.ts';
import { FAULT_INTERVAL_MS, type FaultLog, rateLimited } from '../telemetry/fault-log.ts';
import { serveTelemetry, type TelemetryServer } from '../telemetry/http.ts';
import { createLogger, type Logging, toggleDebugOnSignal } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { watchProcess } from '../telemetry/process.ts';
import { type Agent, createAgent } from './agent.ts';
import { createSinks, sinkNames } from './assembly/sinks.ts';
import { openSource } from './assembly/source.ts';
import { openSpool } from './assembly/spool.ts';
import { accountToBecome, becomeUser, narrowUmask } from './privileges.ts';

export interface SessionOptions {
  readonly loaded: LoadedConfig;
  /** Reads the configuration again, for SIGHUP; null where there is nothing to read. */
  readonly reread: (() => ConfigResult) | null;
  readonly version: string;
  /** Stops the agent when it is aborted. */
  readonly stop?: AbortSignal;
}

export type SessionEnd =
  | { readonly kind: 'done' }
  /** One line that says what to do; `damaged` is a recording that could not be read to its end. */
  | {
      readonly kind: 'unavailable' | 'not_permitted' | 'misconfigured' | 'damaged';
      readonly problem: string;
    };

/** Runs the agent until its source ends, a signal comes, standard output is closed, or `stop` is aborted. */
export async function runSession(options: SessionOptions): Promise<SessionEnd> {
  const { config, secrets } = options.loaded;
  const logging = createLogger({ level: config.log.level });
  const { log } = logging;
  const faults = rateLimited(log, { intervalMs: FAULT_INTERVAL_MS });
  narrowUmask();
  const becoming = accountToBecome(config);
  if (!becoming.ok) return { kind: 'misconfigured', problem: becoming.problem };
  const account = becoming.value;
  const signals = catchSignals(options, logging);
  let end: SessionEnd = { kind: 'done' };
  const opened = await openSource(
    config,
    {
      damaged(problem) {
        end = { kind: 'damaged', problem };
      },
      ended(problem) {
        end = { kind: 'unavailable', problem };
      },
      left: (problem) => log.warn({}, problem),
      withoutModule: (reason) => log.info({ reason }, 'tcp_trace.ko is not used, the native tracepoints are'),
    },
    { losesRoot: account !== null },
  );
  if (!opened.ok) {
    signals.forget();
    return { kind: opened.permission === true ? 'not_permitted' : 'unavailable', problem: opened.problem };
  }
  const source = opened.value;
  logSource(logging, source);
  const refuse = async (refusal: SessionEnd) => {
    await source.stop();
    signals.forget();
    return refusal;
  };
  if (account !== null) {
    const problem = becomeUser(account, config);
    if (problem !== null) return refuse({ kind: 'misconfigured', problem });
    log.info({ ...account }, 'gave up root');
  }
  // Its files are this user's.
  const ledger = createLedger(sinkNames(config));
  const spool = await openSpool(config, ledger, faults, log);
  if (!spool.ok) return refuse({ kind: 'unavailable', problem: spool.problem });

  const sinks = await createSinks(config, {
    version: options.version,
    host: source.kernel.hostName,
    secrets,
    log,
    onStdoutClosed: () => agent.stop(),
  });
  const processWatch = watchProcess();
  const agent = createAgent({
    config,
    sinks,
    source,
    ledger,
    spool: spool.value,
    version: options.version,
    log,
    faults,
    processWatch,
    onDelivered: (sink, latencyMs) => metrics.recordDeliveryLatency(sink, latencyMs),
  });
  const metrics = createMetrics(agent.snapshot);
  const server = await openEndpoint(config, agent, metrics.prometheus, logging);
  signals.direct(agent);
  options.stop?.addEventListener('abort', agent.stop, { once: true });
  if (options.stop?.aborted === true) agent.stop();

  const problem = await agent.run();

  signals.forget();
  await server?.close();
  endLog(agent, faults, logging);
  processWatch.close();
  await metrics.close();
  return problem === null ? end : { kind: 'unavailable', problem };
}

function logSource({ log }: Logging, source: Source): void {
  const { kind, instance, clock, probes } = source.status();
  log.info({ source: kind, instance, clock, kernel: source.kernel.release }, 'reading kernel events');
  for (const { name, problem } of probes) {
    if (problem !== null) log.warn({ probe: name }, `probe is off: ${problem}`);
  }
}

async function openEndpoint(
  { telemetry: { http } }: AgentConfig,
  agent: Agent,
  prometheus: () => Promise<string>,
  { log }: Logging,
): Promise<TelemetryServer | null> {
  if (!http.enabled) return null;
  const server = await serveTelemetry({
    address: http.address,
    port: http.port,
    snapshot: agent.snapshot,
    prometheus,
  });
  if (server.listening) {
    log.info({ address: server.address, port: server.port }, 'telemetry endpoint is open');
    return server;
  }
  // Delivering events matters more than being watched while doing it.
  log.error({}, server.problem);
  return null;
}

interface Signals {
  /** Gives the agent what has come so far, and from now on at once. */
  direct(agent: Agent): void;
  forget(): void;
}

/**
 * SIGTERM and SIGINT stop, a second one at once; SIGHUP reloads; SIGUSR2 toggles debug. Caught before anything is
 * opened: a signal that came in between would end the process and leave its ftrace instance behind.
 */
function catchSignals({ loaded, reread }: SessionOptions, logging: Logging): Signals {
  const { log } = logging;
  let agent: Agent | null = null;
  let stops = 0;
  const stop = (signal: NodeJS.Signals) => {
    if (++stops > 1) process.kill(process.pid, 'SIGKILL');
    log.info({ signal }, 'stopping: delivering what was read; a second signal stops at once');
    agent?.stop();
  };
  let current = loaded.config;
  const reload = () => {
    if (reread === null) return log.warn({}, 'there is no configuration file to read again');
    const next = reread();
    if (!next.ok) {
      for (const problem of next.problems) log.error({}, formatProblem(problem));
      return log.error({}, 'the configuration was not reloaded: the old one stays');
    }
    const { changed, refused } = compareConfigs(current, next.config);
    if (refused.length > 0) {
      return log.error(
        { refused },
        'the configuration was not reloaded: these keys need a restart, the old ones stay',
      );
    }
    current = next.config;
    logging.setLevel(current.log.level);
    agent?.reload(current);
    log.info({ changed }, 'the configuration was reloaded');
  };
  const forgetDebug = toggleDebugOnSignal(logging);
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', reload);
  return {
    direct(started) {
      agent = started;
      if (current !== loaded.config) started.reload(current);
      if (stops > 0) started.stop();
    },
    forget() {
      forgetDebug();
      process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', reload);
    },
  };
}

function endLog(agent: Agent, faults: FaultLog, { log }: Logging): void {
  faults.close();
  const snapshot = agent.snapshot();
  const { ledger, imbalances } = snapshot;
  log.info({ ledger }, 'stopped');
  for (const line of imbalances)
    log.error({}, `the account does not balance, please report this bug: ${line}`);
  if (process.stderr.isTTY) process.stderr.write(`${accountLines(snapshot.ledger).join('\n')}\n`);
}
