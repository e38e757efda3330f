/** Faults that may come by the thousand: each is logged once per interval, with the number of those not logged. */
import type { Logger } from 'pino';
import type { LogLevel } from './logger.ts';

/** A repeating fault is logged once in this time, with the number of repetitions. */
export const FAULT_INTERVAL_MS = 60_000;

export interface FaultLog {
  /**
   * Logs the fault at once, or counts it when one of the same name was logged within the interval;
   * the next line of that name then has `repeated`, the number of those counted.
   *
   * @param name identifies the fault, such as `kafka_unreachable`: from a small fixed set, never from input
   */
  report(level: LogLevel, name: string, message: string, fields?: Readonly<Record<string, unknown>>): void;
  /**
   * The fault has ended: logs what was counted and forgets the fault, so that its next occurrence is logged at once.
   */
  settle(name: string): void;
  /** Logs everything that was counted and not logged. */
  close(): void;
}

export interface RateLimit {
  readonly intervalMs: number;
  /** How many names are remembered. When there are more, the one that was logged longest ago is settled. */
  readonly maximumNames?: number;
  /** A clock in milliseconds that never goes back. */
  readonly now?: () => number;
}

interface Fault {
  loggedAt: number;
  repeated: number;
  /** Writes the latest report, with the count. */
  write: () => void;
}

export function rateLimited(
  log: Logger,
  { intervalMs, maximumNames = 256, now = () => performance.now() }: RateLimit,
): FaultLog {
  /** In the order in which they were last logged. */
  const faults = new Map<string, Fault>();

  const settle = (name: string) => {
    const fault = faults.get(name);
    faults.delete(name);
    if (fault !== undefined && fault.repeated > 0) fault.write();
  };

  return {
    report(level, name, message, fields = {}) {
      const known = faults.get(name);
      const fault: Fault = known ?? { loggedAt: Number.NEGATIVE_INFINITY, repeated: 0, write: () => {} };
      fault.write = () => {
        const repeated = fault.repeated === 0 ? {} : { repeated: fault.repeated };
        log[level]({ ...fields, fault: name, ...repeated }, message);
      };
      const time = now();
      if (time - fault.loggedAt < intervalMs) {
        fault.repeated++;
        return;
      }
      fault.write();
      fault.loggedAt = time;
      fault.repeated = 0;
      faults.delete(name);
      faults.set(name, fault);
      if (faults.size > maximumNames) settle(faults.keys().next().value ?? name);
    },
    settle,
    close() {
      for (const name of [...faults.keys()]) settle(name);
    },
  };
}
