/** Faults that come by the thousand, said once an interval with the number of those not said. */
import type { Logger } from 'pino';
import type { LogLevel } from './logger.ts';

/** A repeating fault is said once in this time, with the number of repetitions. */
export const FAULT_INTERVAL_MS = 60_000;

export interface FaultLog {
  /**
   * Logs the fault at once, or counts it when one of the same name was logged within the interval;
   * the next line of that name then carries `repeated`, the number of those counted.
   *
   * @param name identifies the fault, such as `kafka_unreachable`: from a small fixed set, never from input
   */
  report(level: LogLevel, name: string, message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** The fault has passed: says what was counted and forgets it, so that its next time is logged at once. */
  settle(name: string): void;
  /** Says everything counted and not said. */
  close(): void;
}

export interface RateLimit {
  readonly intervalMs: number;
  /** How many names are remembered; the one logged longest ago makes room, saying its count. */
  readonly maximumNames?: number;
  /** A clock in milliseconds that never goes back. */
  readonly now?: () => number;
}

interface Fault {
  loggedAt: number;
  repeated: number;
  /** Writes the latest report, with the count. */
  say: () => void;
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
    if (fault !== undefined && fault.repeated > 0) fault.say();
  };

  return {
    report(level, name, message, fields = {}) {
      const known = faults.get(name);
      const fault: Fault = known ?? { loggedAt: Number.NEGATIVE_INFINITY, repeated: 0, say: () => {} };
      fault.say = () => {
        const repeated = fault.repeated === 0 ? {} : { repeated: fault.repeated };
        log[level]({ ...fields, fault: name, ...repeated }, message);
      };
      const time = now();
      if (time - fault.loggedAt < intervalMs) {
        fault.repeated++;
        return;
      }
      fault.say();
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
