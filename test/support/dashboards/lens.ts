/** The question of a Lens panel, out of its saved object. */
import {
  type Answer,
  type Bucketing,
  lucene,
  type Question,
  type SavedObject,
  TIME_BUCKETS,
} from './request.ts';

interface Column {
  readonly label: string;
  readonly operationType: string;
  readonly sourceField?: string;
  readonly isBucketed: boolean;
  readonly filter?: { readonly query: string };
  readonly references?: readonly string[];
  readonly params?: {
    readonly size?: number;
    readonly orderBy?: { readonly type: string; readonly columnId?: string };
    readonly orderDirection?: string;
    readonly percentile?: number;
    readonly accuracyMode?: boolean;
    readonly tinymathAst?: Tree;
  };
}

type Tree = string | { readonly name: string; readonly args: readonly Tree[] };
type Columns = Readonly<Record<string, Column>>;

interface LensState {
  readonly query: { readonly query: string };
  readonly datasourceStates: {
    readonly indexpattern: {
      readonly layers: Readonly<Record<string, { columns: Columns; columnOrder: readonly string[] }>>;
    };
  };
}

const AGGREGATIONS: Readonly<Record<string, string>> = {
  ...{ sum: 'sum', min: 'min', max: 'max', unique_count: 'cardinality', percentile: 'percentiles' },
};
const MATH: Readonly<Record<string, (left: number, right: number) => number>> = {
  add: (left, right) => left + right,
  subtract: (left, right) => left - right,
  divide: (left, right) => left / right,
};
/** What Lens asks of each shard in its accuracy mode. */
const ACCURATE_SHARD_SIZE = 1000;
const isDerived = ({ operationType }: Column): boolean => ['formula', 'math'].includes(operationType);

/** Null where the measure is the number of documents of the bucket itself. */
function measureOf({ operationType, sourceField, filter, params }: Column): object | null {
  const percents = params?.percentile === undefined ? {} : { percents: [params.percentile] };
  const type = AGGREGATIONS[operationType];
  if (type === undefined && operationType !== 'count') throw new Error(`no aggregation for ${operationType}`);
  const plain = type === undefined ? null : { [type]: { field: sourceField, ...percents } };
  if (filter === undefined) return plain;
  return { filter: lucene(filter.query), ...(plain !== null && { aggs: { value: plain } }) };
}

function numberOf(column: Column, answer: Answer, id: string): number | null {
  const own = answer[id] as
    | { value?: number; values?: Record<string, number>; doc_count?: number }
    | undefined;
  if (column.operationType === 'count') return own?.doc_count ?? answer.doc_count;
  const found = (own?.['value' as never] as unknown as typeof own) ?? own;
  if (typeof found === 'number') return found;
  return found?.value ?? Object.values(found?.values ?? {})[0] ?? null;
}

function orderKey(columns: Columns, id: string | undefined): string {
  const column = id === undefined ? undefined : columns[id];
  if (column === undefined) return '_key';
  if (column.operationType === 'count') return column.filter === undefined ? '_count' : `${id}.doc_count`;
  return column.params?.percentile === undefined ? String(id) : `${id}.${column.params.percentile}`;
}

function bucketingOf(column: Column, columns: Columns): Bucketing {
  if (column.operationType === 'date_histogram') return { date_histogram: TIME_BUCKETS };
  const { size, orderBy, orderDirection, accuracyMode } = column.params ?? {};
  const key = orderKey(columns, orderBy?.columnId);
  const accuracy = accuracyMode === true ? { shard_size: ACCURATE_SHARD_SIZE } : {};
  return {
    terms: { field: column.sourceField, size, ...accuracy, order: { [key]: orderDirection } },
  };
}

export function lensQuestion({ attributes }: SavedObject): Question {
  const { query, datasourceStates } = attributes['state'] as LensState;
  const [layer, ...others] = Object.values(datasourceStates.indexpattern.layers);
  if (layer === undefined || others.length > 0) throw new Error('a panel has one layer');
  const { columns, columnOrder } = layer;
  const ordered = columnOrder.map((id) => {
    const column = columns[id];
    if (column === undefined) throw new Error(`no column ${id}`);
    return { id, column };
  });
  const numbers = ordered.filter(({ column }) => !column.isBucketed);
  const hidden = new Set(numbers.flatMap(({ column }) => column.references ?? []));

  const evaluate = (tree: Tree, answer: Answer): number => {
    if (typeof tree === 'string') return compute(tree, answer) ?? Number.NaN;
    const [left = '', right = ''] = tree.args;
    const calculate = MATH[tree.name];
    if (calculate === undefined) throw new Error(`no function ${tree.name}`);
    return calculate(evaluate(left, answer), evaluate(right, answer));
  };
  const compute = (id: string, answer: Answer): number | null => {
    const column = columns[id];
    if (column === undefined) throw new Error(`no column ${id}`);
    if (column.operationType === 'formula') return compute(column.references?.[0] ?? '', answer);
    if (column.operationType === 'math') return evaluate(column.params?.tinymathAst ?? '', answer);
    return numberOf(column, answer, id);
  };

  return {
    query: lucene(query.query),
    buckets: ordered
      .filter(({ column }) => column.isBucketed)
      .map(({ column }) => bucketingOf(column, columns)),
    measures: Object.fromEntries(
      numbers
        .filter(({ column }) => !isDerived(column))
        .flatMap(({ id, column }) => {
          const measure = measureOf(column);
          return measure === null ? [] : [[id, measure]];
        }),
    ),
    valuesOf: (answer) =>
      Object.fromEntries(
        numbers
          .filter(({ id }) => !hidden.has(id))
          .map(({ id, column }) => [column.label, compute(id, answer)]),
      ),
  };
}
