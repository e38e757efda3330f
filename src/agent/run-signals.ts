/** What signals do to a running agent. */
import { type Logging, toggleDebugOnSignal } from '../telemetry/logger.ts';
import type { Agent } from './agent.ts';
import { createReload, type ReloadOptions } from './reload.ts';
import { createStopWishes, onSignals } from './signals.ts';

export interface RunSignals {
  /** Gives the agent the signals that have come so far, and from now on each at once. */
  direct(agent: Agent): void;
  forget(): void;
}

/**
 * SIGTERM and SIGINT stop the agent, a second one of them at once; SIGHUP reloads the configuration; SIGURG emits a
 * `host_status`: nothing else sends it, and where nobody listens it does no harm. SIGUSR2 toggles debug logging. Listens
 * from the call on, so that a signal during the start leaves nothing behind.
 */
export function catchSignals(options: ReloadOptions, logging: Logging): RunSignals {
  let agent: Agent | null = null;
  let isStopping = false;
  const reload = createReload(options, logging);
  const wishes = createStopWishes({
    first(signal) {
      isStopping = true;
      logging.log.info({ signal }, 'stopping: delivering what was read; a second signal stops at once');
      agent?.stop();
    },
    again: () => process.kill(process.pid, 'SIGKILL'),
  });
  const forgetStop = onSignals(['SIGTERM', 'SIGINT'], wishes);
  const forgetReload = onSignals(['SIGHUP'], () => {
    if (reload.reread()) agent?.reload(reload.config);
  });
  const forgetEmit = onSignals(['SIGURG'], () => void emitHostStatus(agent, logging));
  const forgetDebug = toggleDebugOnSignal(logging);
  return {
    direct(started) {
      agent = started;
      if (reload.config !== options.loaded.config) started.reload(reload.config);
      if (isStopping) started.stop();
    },
    forget() {
      forgetStop();
      forgetReload();
      forgetEmit();
      forgetDebug();
    },
  };
}

/** A signal has no answer, so the log has it. Before the agent runs, the one of its start will do. */
async function emitHostStatus(agent: Agent | null, { log }: Logging): Promise<void> {
  if (agent === null) return;
  const emitted = await agent.emitHostStatus();
  if (emitted.ok) log.info({ event_id: emitted.value }, 'emitted a host_status');
  else log.warn({}, `no host_status was emitted: ${emitted.problem}`);
}
