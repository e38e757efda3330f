/** Connections that wait in CLOSE_WAIT: the peer has closed, and the own program has not yet. */
import type { LeakRow } from './model.ts';

export interface Leaks {
  enter(connection: string, where: Omit<LeakRow, 'connections' | 'oldest_s'>, second: number): void;
  leave(connection: string): void;
  /** Those that have waited for a minute at `endS`, by program and port, most connections first. */
  rows(endS: number): LeakRow[];
}

/** Beyond so many that wait at one time, later ones are not watched. */
const MAX_WAITING = 200_000;
const PATIENCE_S = 60;

export function createLeaks(): Leaks {
  const waiting = new Map<string, { where: Omit<LeakRow, 'connections' | 'oldest_s'>; second: number }>();
  return {
    enter(connection, where, second) {
      if (waiting.size < MAX_WAITING) waiting.set(connection, { where, second });
    },
    leave(connection) {
      waiting.delete(connection);
    },
    rows(endS) {
      const late = [...waiting.values()].filter(({ second }) => endS - second >= PATIENCE_S);
      const groups = Map.groupBy(late, ({ where }) => JSON.stringify(where));
      return [...groups.values()]
        .flatMap((group): LeakRow[] => {
          const [first] = group;
          if (first === undefined) return [];
          const oldest_s = group.reduce((oldest, { second }) => Math.min(oldest, second), first.second);
          return [{ ...first.where, connections: group.length, oldest_s }];
        })
        .sort((one, other) => other.connections - one.connections);
    },
  };
}
