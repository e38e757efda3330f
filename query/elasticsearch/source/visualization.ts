/** A panel as a visualization of OpenSearch Dashboards, which is what Kibana 7.10 had. It has no calculations. */
import { type Measure, measuresOf, type Panel } from './panel.ts';

const TYPES = { metric: 'metric', line: 'line', bars: 'histogram', table: 'table', matrix: 'table' } as const;
const OPERATIONS = { count: 'count', sum: 'sum', min: 'min', max: 'max', unique: 'cardinality' } as const;

interface Aggregation {
  readonly id: string;
  readonly enabled: true;
  readonly type: string;
  readonly schema: string;
  readonly params: Readonly<Record<string, unknown>>;
}

interface Labelled {
  readonly measure: Measure;
  readonly label: string;
}

/** A calculation becomes its parts, and a measure with a filter of its own is left to `filtersOf`. */
function plainMeasures({ metrics }: Panel): Labelled[] {
  const all = metrics.flatMap(({ label, value }) =>
    measuresOf(value).map((measure) => ({
      measure,
      label: 'left' in value && 'field' in measure ? `${measure.of} ${measure.field}` : label,
    })),
  );
  const seen = new Set<string>();
  return all.filter(({ measure }) => {
    const isNew = !seen.has(JSON.stringify(measure)) && !('filter' in measure);
    seen.add(JSON.stringify(measure));
    return isNew;
  });
}

/** Measures with filters of their own are counts per filter: a bucket each. */
function filtersOf({ metrics }: Panel): { readonly label: string; readonly filter: string }[] {
  return metrics.flatMap(({ label, value }) =>
    'filter' in value && value.filter !== undefined ? [{ label, filter: value.filter }] : [],
  );
}

function metricOf({ measure, label }: Labelled, id: string): Aggregation {
  const base = { id, enabled: true, schema: 'metric' } as const;
  if (measure.of === 'percentile') {
    const params = { field: measure.field, percents: [measure.percentile], customLabel: label };
    return { ...base, type: 'percentiles', params };
  }
  const field = 'field' in measure ? { field: measure.field } : {};
  return { ...base, type: OPERATIONS[measure.of], params: { ...field, customLabel: label } };
}

/** Percentiles have several values, of which the first one counts. */
function orderKeyOf(metric: Aggregation | undefined): string {
  if (metric === undefined) throw new RangeError('a panel without a metric');
  const percents = metric.params['percents'];
  return Array.isArray(percents) ? `${metric.id}.${percents[0]}` : metric.id;
}

function aggregationsOf(panel: Panel): Aggregation[] {
  const isOverTime = panel.chart === 'line' || panel.chart === 'bars';
  const filters = filtersOf(panel);
  const measures = plainMeasures(panel);
  const plain: Labelled[] = measures.length > 0 ? measures : [{ measure: { of: 'count' }, label: 'Events' }];
  let nextId = 1;
  const id = (): string => String(nextId++);
  const metrics = plain.map((measure) => metricOf(measure, id()));
  const buckets = panel.by.map(({ field, label, size }, index): Aggregation => {
    const isColumn = panel.chart === 'matrix' && index === panel.by.length - 1;
    const schema = isOverTime ? 'group' : isColumn ? 'split' : 'bucket';
    const rest = {
      otherBucket: false,
      missingBucket: false,
      customLabel: label,
      ...(isColumn && { row: false }),
    };
    const order =
      panel.sort === undefined
        ? { order: 'desc', orderBy: orderKeyOf(metrics[0]) }
        : { order: 'asc', orderBy: '_key' };
    const params = { field, size, ...order, ...rest };
    return { id: id(), enabled: true, type: 'terms', schema, params };
  });
  const time: Aggregation = {
    ...{ id: id(), enabled: true, type: 'date_histogram', schema: 'segment' },
    params: { field: '@timestamp', interval: 'auto', min_doc_count: 1 },
  };
  const byFilter: Aggregation = {
    ...{ id: id(), enabled: true, type: 'filters', schema: 'bucket' },
    params: {
      filters: filters.map(({ label, filter }) => ({ label, input: { query: filter, language: 'lucene' } })),
    },
  };
  return [...metrics, ...(isOverTime ? [time] : []), ...buckets, ...(filters.length > 0 ? [byFilter] : [])];
}

function paramsOf(panel: Panel, aggregations: readonly Aggregation[]): object {
  switch (panel.chart) {
    case 'metric':
      return {
        ...{ addTooltip: true, addLegend: false, type: 'metric' },
        metric: {
          colorSchema: 'Green to Red',
          colorsRange: [{ from: 0, to: 10_000 }],
          labels: { show: true },
        },
      };
    case 'line':
    case 'bars':
      return {
        ...{ type: TYPES[panel.chart], addTooltip: true, addLegend: true, legendPosition: 'right' },
        grid: { categoryLines: false },
        categoryAxes: [
          {
            id: 'CategoryAxis-1',
            type: 'category',
            position: 'bottom',
            show: true,
            scale: { type: 'linear' },
            labels: { show: true },
          },
        ],
        valueAxes: [
          {
            id: 'ValueAxis-1',
            name: 'LeftAxis-1',
            type: 'value',
            position: 'left',
            show: true,
            scale: { type: 'linear', mode: 'normal' },
            labels: { show: true },
          },
        ],
        seriesParams: aggregations
          .filter(({ schema }) => schema === 'metric')
          .map(({ id, params }) => ({
            ...{ show: true, type: TYPES[panel.chart], mode: panel.chart === 'bars' ? 'stacked' : 'normal' },
            ...{ data: { label: params['customLabel'], id }, valueAxis: 'ValueAxis-1' },
          })),
      };
    default:
      return { perPage: 20, showPartialRows: false, showMetricsAtAllLevels: false, showTotal: false };
  }
}

/** The attributes and references of the saved object. */
export function visualizationOf(panel: Panel) {
  const aggs = aggregationsOf(panel);
  const title = `KTC: ${panel.title}`;
  const indexRefName = 'kibanaSavedObjectMeta.searchSourceJSON.index';
  return {
    attributes: {
      ...{ title, description: panel.question, version: 1, uiStateJSON: '{}' },
      visState: JSON.stringify({ title, type: TYPES[panel.chart], params: paramsOf(panel, aggs), aggs }),
      kibanaSavedObjectMeta: {
        searchSourceJSON: JSON.stringify({
          ...{ query: { query: panel.filter, language: 'lucene' }, filter: [], indexRefName },
        }),
      },
    },
    references: [{ name: indexRefName, type: 'index-pattern', id: 'ktc-events' }],
  };
}
