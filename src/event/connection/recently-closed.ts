/** The connections that were closed last, for the reset that an aborted connection sends after it was closed. */
import type { Connection } from './connection.ts';

/** An abort closes the socket first and sends its reset some 10 µs later (`tcp_disconnect`, `__tcp_close`). */
const CAPACITY = 256;

export interface RecentlyClosed {
  add(connection: Connection): void;
  /** The last one that had this key. */
  find(key: number): Connection | undefined;
}

/** A ring, which is filled for every connection without making anything, and is searched for few. */
export function createRecentlyClosed(): RecentlyClosed {
  const closed: Connection[] = [];
  /** Where the next one goes; before it is the newest. */
  let next = 0;
  return {
    add(connection) {
      closed[next] = connection;
      next = (next + 1) % CAPACITY;
    },
    find(key) {
      for (let back = 1; back <= closed.length; back++) {
        const connection = closed[(next - back + CAPACITY) % CAPACITY];
        if (connection?.key === key) return connection;
      }
      return undefined;
    },
  };
}
