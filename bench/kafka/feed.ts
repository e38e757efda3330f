/** Plays a file of events back at a steady rate. */
import { closeSync, openSync, readSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const TICK_MS = 10;

/** Gives `bytes` bytes of a file evenly over `seconds`. */
export async function feed(
  path: string,
  bytes: number,
  seconds: number,
  write: (piece: Buffer) => Promise<void>,
): Promise<void> {
  const file = openSync(path, 'r');
  const begin = performance.now();
  let given = 0;
  while (given < bytes) {
    const due = Math.min(bytes, Math.round((bytes * (performance.now() - begin)) / (seconds * 1000)));
    if (due > given) {
      const piece = Buffer.allocUnsafe(due - given);
      readSync(file, piece, 0, piece.length, given);
      given = due;
      await write(piece);
    }
    await delay(TICK_MS);
  }
  closeSync(file);
}
