/** Notices that the host gets another name while the agent runs. */
import { hostname } from 'node:os';
import type { Logger } from 'pino';

const LOOK_MS = 10_000;

/**
 * Tells each new name once. The events keep the name of the start: it decides their partition, and a name that changes in
 * the middle of a stream would tear the order of this host's events, and every question about it, in two.
 *
 * @param configured `host.name`, which the host's own name does not matter for; empty for none
 * @returns ends the watch
 */
export function watchHostName(configured: string, log: Pick<Logger, 'warn'>, read = hostname): () => void {
  if (configured !== '') return () => {};
  const first = read();
  let last = first;
  const timer = setInterval(() => {
    const name = read();
    if (name !== last && name !== first) {
      log.warn(
        { host: first, name },
        `this host is called ${JSON.stringify(name)} now: events say ${JSON.stringify(first)} until the agent is started again`,
      );
    }
    last = name;
  }, LOOK_MS).unref();
  return () => clearInterval(timer);
}
