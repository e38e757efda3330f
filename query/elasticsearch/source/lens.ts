/** A panel as a Lens visualization of Kibana: of 7.17, and of 8.3, whose migrations bring it to what a newer one wants. */
import {
  type DATA_VIEWS,
  type Expression,
  type Measure,
  type Metric,
  measuresOf,
  type Panel,
  type Values,
} from './panel.ts';

export type KibanaVersion = '7.17' | '8';

type Column = Readonly<Record<string, unknown>>;
type Columns = Readonly<Record<string, Column>>;

const LAYER = 'layer';
const lucene = (query: string) => ({ query, language: 'lucene' });

/** What Lens calls a count of documents. */
const recordsField = (version: KibanaVersion): string => (version === '7.17' ? 'Records' : '___records___');

const OPERATIONS = { sum: 'sum', min: 'min', max: 'max', unique: 'unique_count' } as const;

function formatOf({ format }: Metric): Column {
  return format === 'percent' ? { format: { id: 'percent', params: { decimals: 2 } } } : {};
}

function measureColumn(measure: Measure, label: string, params: Column, version: KibanaVersion): Column {
  const isTime = 'field' in measure && measure.field === '@timestamp';
  const common = {
    ...{ label, customLabel: true, dataType: isTime ? 'date' : 'number', isBucketed: false, scale: 'ratio' },
    ...('filter' in measure && { filter: lucene(measure.filter ?? '') }),
  };
  switch (measure.of) {
    case 'count':
      return { ...common, operationType: 'count', sourceField: recordsField(version), params };
    case 'percentile':
      return {
        ...{ ...common, operationType: 'percentile', sourceField: measure.field },
        params: { ...params, percentile: measure.percentile },
      };
    default:
      return { ...common, operationType: OPERATIONS[measure.of], sourceField: measure.field, params };
  }
}

const SIGNS = { add: '+', subtract: '-', divide: '/' } as const;

/** The formula as a person types it into Lens. */
function formulaText(expression: Expression): string {
  if ('left' in expression) {
    return `(${formulaText(expression.left)} ${SIGNS[expression.of]} ${formulaText(expression.right)})`;
  }
  if (expression.of === 'percentile')
    return `percentile(${expression.field}, percentile=${expression.percentile})`;
  const field = expression.of === 'count' ? '' : expression.field;
  const name = expression.of === 'count' ? 'count' : OPERATIONS[expression.of];
  const filter = expression.filter === undefined ? '' : `${field && ', '}lucene='${expression.filter}'`;
  return `${name}(${field}${filter})`;
}

/** The tree that Lens keeps beside the text: calculations over the identifiers of hidden columns. */
function formulaTree(expression: Expression, nextId: () => string): unknown {
  if (!('left' in expression)) return nextId();
  const text = formulaText(expression);
  return {
    ...{ type: 'function', name: expression.of, text, location: { min: 0, max: text.length } },
    args: [formulaTree(expression.left, nextId), formulaTree(expression.right, nextId)],
  };
}

/** One metric: a column, and for a calculation the hidden columns that it refers to. */
function metricColumns(metric: Metric, id: string, version: KibanaVersion): Columns {
  const { label, value } = metric;
  if (!('left' in value)) return { [id]: measureColumn(value, label, formatOf(metric), version) };
  const parts = measuresOf(value).map(
    (measure, index) => [`${id}X${index}`, measureColumn(measure, `Part of ${label}`, {}, version)] as const,
  );
  const ids = parts.map(([part]) => part);
  const math = `${id}X${parts.length}`;
  const rest = [...ids];
  const base = { customLabel: true, dataType: 'number', isBucketed: false, scale: 'ratio' } as const;
  return {
    [id]: {
      ...{ ...base, label, operationType: 'formula', references: [math] },
      params: { formula: formulaText(value), isFormulaBroken: false, ...formatOf(metric) },
    },
    ...Object.fromEntries(parts),
    [math]: {
      ...{ ...base, label: `Part of ${label}`, operationType: 'math', references: ids },
      params: { tinymathAst: formulaTree(value, () => rest.shift() ?? '') },
    },
  };
}

function valuesColumn({ field, label, size }: Values, panel: Panel, version: KibanaVersion): Column {
  const order =
    panel.sort === undefined
      ? { orderBy: { type: 'column', columnId: 'metric0' }, orderDirection: 'desc' }
      : { orderBy: { type: 'alphabetical' }, orderDirection: 'asc' };
  return {
    ...{
      label,
      customLabel: true,
      dataType: 'string',
      isBucketed: true,
      operationType: 'terms',
      scale: 'ordinal',
    },
    sourceField: field,
    params: {
      ...{ size, ...order, otherBucket: false, missingBucket: false },
      // Accuracy: each daily index is asked for more values than are shown; 7.17 has no such setting.
      ...(version === '8' && { parentFormat: { id: 'terms' }, accuracyMode: true }),
    },
  };
}

const timeColumn = (version: KibanaVersion): Column => ({
  ...{
    label: '@timestamp',
    dataType: 'date',
    isBucketed: true,
    operationType: 'date_histogram',
    scale: 'interval',
  },
  sourceField: '@timestamp',
  params: { interval: 'auto', ...(version === '8' && { includeEmptyRows: true }) },
});

interface Ids {
  readonly buckets: readonly string[];
  readonly metrics: readonly string[];
}

function visualizationOf(panel: Panel, { buckets, metrics }: Ids, version: KibanaVersion) {
  const layer = { layerId: LAYER, layerType: 'data' };
  switch (panel.chart) {
    case 'metric': {
      const look = version === '8' && { textAlign: 'center', titlePosition: 'bottom', size: 'xl' };
      return { type: 'lnsMetric', state: { ...layer, accessor: metrics[0], ...look } };
    }
    case 'line':
    case 'bars': {
      const seriesType = panel.chart === 'line' ? 'line' : 'bar_stacked';
      const split = panel.by.length === 0 ? {} : { splitAccessor: buckets[0] };
      const state = {
        legend: { isVisible: true, position: 'right', ...(version === '8' && { legendSize: 'auto' }) },
        ...{ preferredSeriesType: seriesType, valueLabels: 'hide', fittingFunction: 'None' },
        layers: [{ ...layer, seriesType, accessors: metrics, xAccessor: 'time', ...split }],
      };
      return { type: 'lnsXY', state };
    }
    default: {
      const columns = [...buckets, ...metrics].map((columnId) => ({ columnId }));
      const state = {
        ...layer,
        // The last bucket of a matrix becomes columns.
        columns: columns.map((column, index) =>
          panel.chart === 'matrix' && index === buckets.length - 1
            ? { ...column, isTransposed: true }
            : column,
        ),
        ...(version === '8' && { rowHeight: 'single', headerRowHeight: 'single' }),
        ...(panel.sort !== undefined && {
          sorting: { columnId: metrics[panel.sort.metric], direction: panel.sort.direction },
        }),
      };
      return { type: 'lnsDatatable', state };
    }
  }
}

/** The attributes and references of the saved object. */
export function lensOf(panel: Panel, version: KibanaVersion) {
  const isOverTime = panel.chart === 'line' || panel.chart === 'bars';
  const ids = {
    buckets: panel.by.map((_, index) => `bucket${index}`),
    metrics: panel.metrics.map((_, index) => `metric${index}`),
  };
  const columns: Columns = {
    ...Object.fromEntries(
      panel.by.map((values, index) => [`bucket${index}`, valuesColumn(values, panel, version)]),
    ),
    ...(isOverTime && { time: timeColumn(version) }),
    ...Object.assign(
      {},
      ...panel.metrics.map((metric, index) => metricColumns(metric, `metric${index}`, version)),
    ),
  };
  const visualization = visualizationOf(panel, ids, version);
  const names = ['indexpattern-datasource-current-indexpattern', `indexpattern-datasource-layer-${LAYER}`];
  return {
    attributes: {
      ...{ title: `KTC: ${panel.title}`, description: panel.question, visualizationType: visualization.type },
      state: {
        datasourceStates: {
          indexpattern: {
            layers: { [LAYER]: { columns, columnOrder: Object.keys(columns), incompleteColumns: {} } },
          },
        },
        ...{ visualization: visualization.state, query: lucene(panel.filter), filters: [] },
      },
    },
    references: names.map((name) => ({
      name,
      type: 'index-pattern',
      id: 'ktc-events' satisfies keyof typeof DATA_VIEWS,
    })),
  };
}
