/** The question of a visualization of OpenSearch Dashboards, out of its saved object. */
import { type Bucketing, lucene, type Question, type SavedObject, TIME_BUCKETS } from './request.ts';

interface Aggregation {
  readonly id: string;
  readonly type: string;
  readonly schema: string;
  readonly params: {
    readonly field?: string;
    readonly customLabel?: string;
    readonly size?: number;
    readonly order?: string;
    readonly orderBy?: string;
    readonly percents?: readonly number[];
    readonly filters?: readonly { readonly label: string; readonly input: { readonly query: string } }[];
  };
}

function bucketingOf({ type, params }: Aggregation, all: readonly Aggregation[]): Bucketing {
  if (type === 'date_histogram') return { date_histogram: TIME_BUCKETS };
  if (type === 'filters') {
    const filters = (params.filters ?? []).map(({ label, input }) => [label, lucene(input.query)] as const);
    return { filters: { filters: Object.fromEntries(filters) } };
  }
  if (type !== 'terms') throw new Error(`no bucketing for ${type}`);
  const { field, size, order, orderBy = '_key' } = params;
  const isCount = all.some((other) => other.id === orderBy && other.type === 'count');
  return { terms: { field, size, order: { [isCount ? '_count' : orderBy]: order } } };
}

export function visualizationQuestion({ attributes }: SavedObject): Question {
  const { aggs } = JSON.parse(String(attributes['visState'])) as { aggs: readonly Aggregation[] };
  const meta = attributes['kibanaSavedObjectMeta'] as { searchSourceJSON: string };
  const { query } = JSON.parse(meta.searchSourceJSON) as { query: { query: string } };
  const metrics = aggs.filter(({ schema }) => schema === 'metric');
  return {
    query: lucene(query.query),
    buckets: aggs.filter(({ schema }) => schema !== 'metric').map((one) => bucketingOf(one, aggs)),
    measures: Object.fromEntries(
      metrics
        .filter(({ type }) => type !== 'count')
        .map(({ id, type, params: { field, percents } }) => [
          id,
          { [type]: { field, ...(percents !== undefined && { percents }) } },
        ]),
    ),
    valuesOf: (answer) =>
      Object.fromEntries(
        metrics.map(({ id, type, params }) => {
          const own = answer[id] as { value?: number; values?: Record<string, number> } | undefined;
          const value =
            type === 'count' ? answer.doc_count : (own?.value ?? Object.values(own?.values ?? {})[0]);
          return [params.customLabel ?? id, value ?? null];
        }),
      ),
  };
}
