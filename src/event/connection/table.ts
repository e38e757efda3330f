/** The connections by key, in a table of bounded size. */
import type { Connection } from './connection.ts';

export interface ConnectionTable {
  /** Finds by key and marks as just used. */
  find(key: number): Connection | undefined;
  /** Adds in the place of what had the key; the least recently used gives way when the table is full. */
  add(connection: Connection): void;
  remove(connection: Connection): void;
  readonly size: number;
  readonly evicted: number;
}

/** Least recently used first out. `onEvict` hears of each that had to go. */
export function createConnectionTable(
  capacity: number,
  onEvict: (connection: Connection) => void,
): ConnectionTable {
  const byKey = new Map<number, Connection>();
  let oldest: Connection | null = null;
  let newest: Connection | null = null;
  let evicted = 0;

  function unlink(connection: Connection): void {
    if (connection.older === null) oldest = connection.newer;
    else connection.older.newer = connection.newer;
    if (connection.newer === null) newest = connection.older;
    else connection.newer.older = connection.older;
    connection.older = null;
    connection.newer = null;
  }

  function linkNewest(connection: Connection): void {
    connection.older = newest;
    if (newest === null) oldest = connection;
    else newest.newer = connection;
    newest = connection;
  }

  function remove(connection: Connection): void {
    if (byKey.get(connection.key) !== connection) return;
    byKey.delete(connection.key);
    unlink(connection);
  }

  return {
    find(key) {
      const connection = byKey.get(key);
      if (connection !== undefined && connection !== newest) {
        unlink(connection);
        linkNewest(connection);
      }
      return connection;
    },
    add(connection) {
      const before = byKey.get(connection.key);
      if (before !== undefined) remove(before);
      if (byKey.size >= capacity && oldest !== null) {
        const gone: Connection = oldest;
        remove(gone);
        evicted++;
        onEvict(gone);
      }
      byKey.set(connection.key, connection);
      linkNewest(connection);
    },
    remove,
    get size() {
      return byKey.size;
    },
    get evicted() {
      return evicted;
    },
  };
}
