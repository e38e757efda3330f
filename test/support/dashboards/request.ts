/** What a panel asks the engine, made from its saved object as Kibana and OpenSearch Dashboards make it, and its answer. */
import type { OpenSearch } from '../opensearch.ts';

export interface SavedObject {
  readonly id: string;
  readonly type: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly references: readonly { readonly name: string; readonly type: string; readonly id: string }[];
}

/** One row of the table behind a panel: the keys of its buckets, and its numbers by label. */
export interface Row {
  readonly keys: readonly (string | number)[];
  readonly values: Readonly<Record<string, number | null>>;
}

/** One level of buckets, as the body of an aggregation. */
export type Bucketing = Readonly<Record<string, unknown>>;

export interface Answer {
  readonly doc_count: number;
  readonly [name: string]: unknown;
}

export interface Question {
  readonly query: object;
  readonly buckets: readonly Bucketing[];
  /** By their names in the request. */
  readonly measures: Readonly<Record<string, object>>;
  /** The numbers of a row, out of the answer for its bucket. */
  readonly valuesOf: (answer: Answer) => Row['values'];
}

/** In the tests all of a dashboard's time is one hour-long range, in minutes. */
export const TIME_BUCKETS = { field: '@timestamp', fixed_interval: '1m', min_doc_count: 1 } as const;

export const lucene = (query: string): object => ({ query_string: { query: query === '' ? '*' : query } });

/** Asks, and lists the rows. `filter`: what the reader has chosen by the dashboard's controls. */
export async function ask(
  engine: OpenSearch,
  index: string,
  { query, buckets, measures, valuesOf }: Question,
  filter?: object,
): Promise<Row[]> {
  // At every level: the outer buckets are ordered by them as well.
  const aggs = buckets.reduceRight<object>(
    (inner, bucketing) => ({ ...measures, bucket: { ...bucketing, aggs: inner } }),
    measures,
  );
  const filters = filter === undefined ? [query] : [query, filter];
  const answer = await engine.search(index, {
    ...{ size: 0, track_total_hits: true, query: { bool: { filter: filters } }, aggs },
  });
  const top = { doc_count: answer.hits.total.value, ...(answer.aggregations as object) };
  return rowsOf(top, buckets.length, valuesOf);
}

interface Bucket extends Answer {
  readonly key: string | number;
}

function rowsOf(answer: Answer, depth: number, valuesOf: Question['valuesOf']): Row[] {
  if (depth === 0) return [{ keys: [], values: valuesOf(answer) }];
  const { buckets } = answer['bucket'] as { buckets: readonly Bucket[] | Readonly<Record<string, Answer>> };
  const list = Array.isArray(buckets)
    ? (buckets as readonly Bucket[])
    : Object.entries(buckets as Readonly<Record<string, Answer>>).map(([key, rest]) => ({ ...rest, key }));
  return list.flatMap((bucket) =>
    rowsOf(bucket, depth - 1, valuesOf).map(({ keys, values }) => ({ keys: [bucket.key, ...keys], values })),
  );
}
