/** How sinks close: what is under way gets a little time, then the connections end. */
import { setTimeout as delay } from 'node:timers/promises';

/** For requests under way, and again for saying goodbye to the destination. */
export const CLOSE_DEADLINE_MS = 2_000;

/** Resolves when the promise has settled, or after `milliseconds` of waiting for it. */
export async function waitAtMost(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  await Promise.race([promise, delay(milliseconds, undefined, { ref: false })]);
}
