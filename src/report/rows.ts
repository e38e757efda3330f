/** A table being made: rows get numbers by their keys, and counts go into a cube. */
import { RETRANSMIT_KINDS } from '../event/kinds.ts';
import { type Cube, createCube } from './cube.ts';
import type { Table } from './model.ts';

export interface Rows<Row, M extends string> {
  /** The number of the row with this key; `make` gives the row when it is new. */
  numberOf(key: string, make: () => Row): number;
  readonly cube: Cube<M>;
  /** The table, with slices counted from `startS`. */
  table(startS: number): Table<Row, M>;
}

export interface RowsOptions<M extends string> {
  readonly measures: readonly M[];
  readonly maxCounts: number;
  /** Slices are at least so wide. */
  readonly stepS: number;
}

export function createRows<Row, M extends string>({
  measures,
  maxCounts,
  stepS,
}: RowsOptions<M>): Rows<Row, M> {
  const numbers = new Map<string, number>();
  const rows: Row[] = [];
  const cube = createCube({ measures, maxCounts });
  cube.widen(stepS);
  return {
    numberOf(key, make) {
      const known = numbers.get(key);
      if (known !== undefined) return known;
      numbers.set(key, rows.length);
      return rows.push(make()) - 1;
    },
    cube,
    table: (startS) => ({ rows, grid: cube.grid(startS) }),
  };
}

/** The row of everything that is not kept apart. */
export interface Rest<Row> {
  readonly row: Row;
  /** Whether a row is of this kind already. */
  readonly is: (row: Row) => boolean;
}

/** The same rows, but those beyond the `limit` with the most retransmits are one: `rest`. */
export function limitRows<Row, M extends string>(
  from: Rows<Row, M>,
  limit: number,
  rest: Rest<Row>,
  options: RowsOptions<M>,
): Rows<Row, M> {
  const { rows } = from.table(0);
  if (rows.length <= limit) return from;
  const weights = new Float64Array(rows.length);
  const kinds: ReadonlySet<string> = new Set(RETRANSMIT_KINDS);
  from.cube.forEach((row, measure, _second, value) => {
    // A row without retransmits is kept before another one if it has more of the rest.
    weights[row] = (weights[row] ?? 0) + (kinds.has(measure) ? value : Math.min(value, 1e9) * 1e-12);
  });
  const ranked = [...rows.keys()].sort((one, other) => (weights[other] ?? 0) - (weights[one] ?? 0));
  const kept = new Map(
    ranked
      .flatMap((number) => {
        const row = rows[number];
        return row === undefined || rest.is(row) ? [] : [[number, row] as const];
      })
      .slice(0, limit),
  );
  const limited = createRows<Row, M>({ ...options, stepS: from.cube.stepS });
  from.cube.forEach((number, measure, second, value) => {
    const row = kept.get(number);
    const limitedNumber =
      row === undefined ? limited.numberOf('rest', () => rest.row) : limited.numberOf(`${number}`, () => row);
    limited.cube.add(limitedNumber, measure, second, value);
  });
  return limited;
}
