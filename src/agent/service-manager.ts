/**
 * Speaks systemd's notification protocol (sd_notify(3)). Node.js has no datagram sockets of the UNIX domain: the launcher
 * connects one, packaging/notify-exec.c, and its descriptor comes as NOTIFY_FD.
 */
import { writeSync } from 'node:fs';
import { isSystemError } from '../shared/errors.ts';
import { DONE, type Result, refusal } from '../shared/result.ts';

export interface ServiceManager {
  /** How often the service manager wants to hear that the service is alive, ms; null where it does not watch. */
  readonly watchdogMs: number | null;
  /** Tells assignments of sd_notify(3), such as `READY=1`. A refusal says why the service manager has not got it. */
  tell(state: string): Result;
}

/**
 * Null where no service manager listens. Takes its variables out of the environment: they are for this process, not for
 * the programs that it starts.
 */
export function findServiceManager(environment: NodeJS.ProcessEnv, pid: number): ServiceManager | null {
  const { NOTIFY_FD, WATCHDOG_USEC, WATCHDOG_PID } = environment;
  for (const name of ['NOTIFY_FD', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
  const descriptor = Number(NOTIFY_FD ?? Number.NaN);
  if (!Number.isInteger(descriptor)) return null;
  const microseconds = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === pid ? Number(WATCHDOG_USEC) : 0;
  return {
    watchdogMs: microseconds > 0 ? microseconds / 1000 : null,
    tell(state) {
      try {
        writeSync(descriptor, state);
        return DONE;
      } catch (error) {
        if (!isSystemError(error)) throw error;
        return refusal(`systemd was not told ${state}: ${error.message}`);
      }
    },
  };
}
