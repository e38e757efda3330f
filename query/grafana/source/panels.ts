/** The kinds of panels that the dashboards are made of. A panel of ClickHouse's has its SQL and description from a question. */
import type * as cog from '@grafana/grafana-foundation-sdk/cog';
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import { CLICKHOUSE, chosen, clickHouseQuery, PROMETHEUS } from './datasource.ts';
import { questionOf, type ScopeName } from './question.ts';

/** The grid is 24 wide. */
const WIDTH = { quarter: 6, third: 8, half: 12, full: 24 } as const;
export type Width = keyof typeof WIDTH;
const HEIGHT = 9;
const STAT_HEIGHT = 5;

interface Look {
  readonly width?: Width;
  /** Grafana's identifier of a unit. */
  readonly unit?: string;
  /** From this value on it is red. */
  readonly red?: number;
  readonly height?: number;
  /** Shown instead of an empty answer: what it means. It must also hold when no event of any kind has come. */
  readonly empty?: string;
  /** What narrows it; the labels at the top, unless said. */
  readonly scope?: ScopeName;
}

const NOTHING = 'Nothing in this time.';

type Steps = { readonly value: number | null; readonly color: string }[];

function thresholds(steps: Steps): dashboard.ThresholdsConfigBuilder {
  return new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute).steps(steps);
}

/** One number. Without `red` it has no colour: without thresholds, Grafana would paint everything from 80 on red. */
export function number(title: string, name: string, look: Look = {}) {
  const { width = 'quarter', unit = 'short', red, empty = NOTHING } = look;
  const { question, sql } = questionOf(name);
  const panel = new stat.PanelBuilder()
    .title(title)
    .description(question)
    .datasource(chosen(CLICKHOUSE))
    .withTarget(clickHouseQuery(sql, 'table'))
    .span(WIDTH[width])
    .height(STAT_HEIGHT)
    .unit(unit)
    .noValue(empty)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .graphMode(common.BigValueGraphMode.None);
  if (red === undefined) return panel.colorMode(common.BigValueColorMode.None);
  const steps: Steps = [
    { value: null, color: 'green' },
    { value: red, color: 'red' },
  ];
  return panel.thresholds(thresholds(steps)).colorMode(common.BigValueColorMode.Background);
}

/** Columns that Grafana is to show in a unit, wherever they come. */
const UNITS: Readonly<Record<string, string>> = {
  ...{
    p50_ms: 'ms',
    p95_ms: 'ms',
    p99_ms: 'ms',
    percent: 'percent',
    silent_for_s: 's',
    sent: 'decbytes',
    received: 'decbytes',
    bytes: 'bytes',
  },
};

/** Columns whose numbers are red from a value on. */
const RED_FROM: Readonly<Record<string, number>> = { percent: 1, unexplained: 1 };

function redFrom(value: number): dashboard.DynamicConfigValue[] {
  const steps: Steps = [
    { value: null, color: 'text' },
    { value, color: 'red' },
  ];
  return [
    { id: 'custom.cellOptions', value: { type: common.TableCellDisplayMode.ColorText } },
    { id: 'thresholds', value: thresholds(steps).build() },
  ];
}

/** Rows that one can sort and filter. */
export function rows(title: string, name: string, look: Look = {}) {
  const { width = 'half', height = HEIGHT, scope, empty = NOTHING } = look;
  const { question, sql } = questionOf(name, scope);
  const panel = new table.PanelBuilder()
    .title(title)
    .description(question)
    .datasource(chosen(CLICKHOUSE))
    .withTarget(clickHouseQuery(sql, 'table'))
    .span(WIDTH[width])
    .height(height)
    .filterable(true)
    .noValue(empty)
    // The text above is for the whole panel, not for a cell without a value.
    .overrideByRegexp('.*', [{ id: 'noValue', value: '–' }])
    .overrideByName('peer', [{ id: 'links', value: [linkTo('peer')] }])
    .overrideByName('host', [{ id: 'links', value: [linkTo('host')] }]);
  for (const [column, unit] of Object.entries(UNITS))
    panel.overrideByName(column, [{ id: 'unit', value: unit }]);
  for (const [column, value] of Object.entries(RED_FROM)) panel.overrideByName(column, redFrom(value));
  return panel;
}

/** From a value of the column of this name to the dashboard about it, with the same time and data source. */
function linkTo(target: 'peer' | 'host') {
  const url = `/d/ktc-${target}?var-${target}=\${__data.fields.${target}}&\${clickhouse:queryparam}&\${__url_time_range}`;
  return { title: `This ${target}`, url, targetBlank: false };
}

/** Senders down, receivers across, colours by the number. */
export function matrix(title: string, name: string, look: Look = {}) {
  const { width = 'full', red = 10, height = 14, empty = NOTHING } = look;
  const { question, sql } = questionOf(name);
  return new table.PanelBuilder()
    .title(title)
    .description(question)
    .datasource(chosen(CLICKHOUSE))
    .withTarget(clickHouseQuery(sql, 'table'))
    .withTransformation({
      id: 'groupingToMatrix',
      options: { rowField: 'sender', columnField: 'receiver', valueField: 'per_1000', emptyValue: 'null' },
    })
    .span(WIDTH[width])
    .height(height)
    .decimals(2)
    .noValue(empty)
    .overrideByRegexp('.*', [{ id: 'noValue', value: '' }])
    .thresholds(
      thresholds([
        { value: null, color: 'transparent' },
        { value: red / 10, color: 'yellow' },
        { value: red, color: 'red' },
      ]),
    )
    .cellOptions({
      type: common.TableCellDisplayMode.ColorBackground,
      mode: common.TableCellBackgroundDisplayMode.Basic,
    });
}

/** Lines, or bars that are stacked. A name has the same colour on every panel. */
function overTime(look: Look, isBars: boolean) {
  const { width = 'half', unit = 'short', height = HEIGHT, empty = NOTHING } = look;
  const panel = new timeseries.PanelBuilder()
    .span(WIDTH[width])
    .height(height)
    .unit(unit)
    .min(0)
    .noValue(empty)
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.PaletteClassicByName))
    .legend(
      new common.VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .calcs(isBars ? ['sum'] : ['lastNotNull', 'max']),
    )
    .tooltip(
      new common.VizTooltipOptionsBuilder()
        .mode(common.TooltipDisplayMode.Multi)
        .sort(common.SortOrder.Descending),
    );
  return isBars
    ? panel
        .drawStyle(common.GraphDrawStyle.Bars)
        .fillOpacity(80)
        .stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal))
    : panel.drawStyle(common.GraphDrawStyle.Line).showPoints(common.VisibilityMode.Auto);
}

interface LinesLook extends Look {
  readonly isBars?: true;
  /** The column of texts whose values are the names of the lines; without it, they are columns of numbers. */
  readonly namedBy?: string;
}

export function lines(title: string, name: string, look: LinesLook = {}) {
  const { question, sql } = questionOf(name, look.scope);
  const panel = overTime(look, look.isBars === true)
    .title(title)
    .description(question)
    .datasource(chosen(CLICKHOUSE))
    .withTarget(clickHouseQuery(sql, 'timeseries'));
  // Otherwise a legend has the name of the column of numbers before each.
  return look.namedBy === undefined ? panel : panel.displayName(`\${__field.labels.${look.namedBy}}`);
}

/** Lines of Prometheus; `legend` names each. */
export function metric(title: string, question: string, expression: string, legend: string, look: Look = {}) {
  return overTime(look, false)
    .title(title)
    .description(question)
    .datasource(chosen(PROMETHEUS))
    .withTarget(new prometheus.DataqueryBuilder().expr(expression).legendFormat(legend).range().refId('A'));
}

export type PanelBuilder = cog.Builder<dashboard.Panel>;
