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
  /** What narrows it; the labels at the top, unless said. */
  readonly scope?: ScopeName;
}

type Steps = { readonly value: number | null; readonly color: string }[];

function thresholds(red: number): dashboard.ThresholdsConfigBuilder {
  const steps: Steps = [
    { value: null, color: 'green' },
    { value: red, color: 'red' },
  ];
  return new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute).steps(steps);
}

/** One number. */
export function number(title: string, name: string, { width = 'quarter', unit = 'short', red }: Look = {}) {
  const { question, sql } = questionOf(name);
  const panel = new stat.PanelBuilder()
    .title(title)
    .description(question)
    .datasource(chosen(CLICKHOUSE))
    .withTarget(clickHouseQuery(sql, 'table'))
    .span(WIDTH[width])
    .height(STAT_HEIGHT)
    .unit(unit)
    .noValue('0')
    .graphMode(common.BigValueGraphMode.None);
  return red === undefined
    ? panel
    : panel.thresholds(thresholds(red)).colorMode(common.BigValueColorMode.Background);
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
    bytes: 'decbytes',
  },
};

/** Rows that one can sort and filter. */
export function rows(title: string, name: string, { width = 'half', height = HEIGHT, scope }: Look = {}) {
  const { question, sql } = questionOf(name, scope);
  const panel = new table.PanelBuilder()
    .title(title)
    .description(question)
    .datasource(chosen(CLICKHOUSE))
    .withTarget(clickHouseQuery(sql, 'table'))
    .span(WIDTH[width])
    .height(height)
    .filterable(true)
    .overrideByName('peer', [{ id: 'links', value: [linkTo('peer', 'peer')] }])
    .overrideByName('host', [{ id: 'links', value: [linkTo('host', 'host')] }]);
  for (const [column, unit] of Object.entries(UNITS))
    panel.overrideByName(column, [{ id: 'unit', value: unit }]);
  return panel;
}

/** From a value of a column to the dashboard about it. */
function linkTo(target: 'peer' | 'host', column: string) {
  const url = `/d/ktc-${target}?var-${target}=\${__data.fields.${column}}&\${__url_time_range}`;
  return { title: `This ${target}`, url, targetBlank: false };
}

/** Senders down, receivers across, colours by the number. */
export function matrix(title: string, name: string, { width = 'full', red = 10, height = 14 }: Look = {}) {
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
    .thresholds(
      new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute).steps([
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

/** Lines, or bars that are stacked. */
function overTime({ width = 'half', unit = 'short', height = HEIGHT }: Look, isBars: boolean) {
  const panel = new timeseries.PanelBuilder().span(WIDTH[width]).height(height).unit(unit).min(0);
  return isBars
    ? panel
        .drawStyle(common.GraphDrawStyle.Bars)
        .fillOpacity(80)
        .stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal))
    : panel.drawStyle(common.GraphDrawStyle.Line).showPoints(common.VisibilityMode.Auto);
}

export function lines(title: string, name: string, look: Look & { readonly isBars?: true } = {}) {
  const { question, sql } = questionOf(name, look.scope);
  return overTime(look, look.isBars === true)
    .title(title)
    .description(question)
    .datasource(chosen(CLICKHOUSE))
    .withTarget(clickHouseQuery(sql, 'timeseries'));
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
