/** Connections that wait in CLOSE_WAIT: the peer has closed, and the own program has not yet. */
import type { LeakRow } from './model.ts';

export interface Leaks {
  enter(connection: string, where: Omit<LeakRow, 'connections' | 'oldest_s'>, second: number): void;
  leave(connection: string, second: number): void;
  /** Those that have waited for a minute at `endS`, by program and port, most connections first. */
  rows(endS: number): LeakRow[];
}

/** Beyond so many that wait at one time, later ones are not watched. */
const MAX_WAITING = 200_000;
/** Files may be read in the wrong order, so of so many that were only seen to leave it is kept when. */
const MAX_LEFT = 100_000;
const PATIENCE_S = 60;

export function createLeaks(): Leaks {
  const waiting = new Map<string, { where: Omit<LeakRow, 'connections' | 'oldest_s'>; second: number }>();
  const left = new Map<string, number>();
  return {
    enter(connection, where, second) {
      if (second <= (left.get(connection) ?? Number.NEGATIVE_INFINITY)) left.delete(connection);
      else if (waiting.size < MAX_WAITING) waiting.set(connection, { where, second });
    },
    leave(connection, second) {
      if (!waiting.delete(connection) && left.size < MAX_LEFT) left.set(connection, second);
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
