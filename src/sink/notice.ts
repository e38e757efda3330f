/** Warnings at a limited rate: a destination that refuses or slows down one request usually does so to many. */
import type { SinkLog } from './sink-log.ts';

export type Notice = (fields: object, message: string) => void;

const INTERVAL_MS = 60_000;

/** Warns at most once per `INTERVAL_MS`; other notices are logged at the level debug. */
export function createNotice(log: SinkLog): Notice {
  let quietUntil = 0;
  return (fields, message) => {
    const now = performance.now();
    if (now < quietUntil) return log.debug(fields, message);
    quietUntil = now + INTERVAL_MS;
    log.warn(fields, message);
  };
}
