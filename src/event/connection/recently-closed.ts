/** The connections that were closed last, for the reset that an aborted connection sends after it was closed. */
import type { Connection } from './connection.ts';

/** An abort closes the socket first and sends its reset some 10 µs later (`tcp_disconnect`, `__tcp_close`). */
const CAPACITY = 256;

export interface RecentlyClosed {
  add(connection: Connection): void;
  /** The last one that had this key. */
  find(key: number): Connection | undefined;
}

export function createRecentlyClosed(): RecentlyClosed {
  /** Oldest first. */
  const closed = new Map<number, Connection>();
  return {
    add(connection) {
      closed.delete(connection.key);
      closed.set(connection.key, connection);
      const oldest = closed.keys().next();
      if (closed.size > CAPACITY && oldest.done !== true) closed.delete(oldest.value);
    },
    find: (key) => closed.get(key),
  };
}
