/** The two data sources, and a query of ClickHouse's, which the SDK does not have. */
import type * as cog from '@grafana/grafana-foundation-sdk/cog';
import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';

export const CLICKHOUSE = {
  type: 'grafana-clickhouse-datasource',
  uid: 'ktc-clickhouse',
  name: 'KTC ClickHouse',
} as const;
export const PROMETHEUS = { type: 'prometheus', uid: 'ktc-prometheus', name: 'KTC Prometheus' } as const;

type Source = typeof CLICKHOUSE | typeof PROMETHEUS;

const variableOf = (source: Source): string => (source === CLICKHOUSE ? 'clickhouse' : 'prometheus');

/** For panels: what the reader has chosen at the top of the dashboard. */
export function chosen(source: Source): DataSourceRef {
  return { type: source.type, uid: `\${${variableOf(source)}}` };
}

/** The choice, which begins with the source of provisioning/datasources/ktc.yaml: no dialog asks for anything. */
export function datasourceVariable(source: Source): dashboard.DatasourceVariableBuilder {
  return new dashboard.DatasourceVariableBuilder(variableOf(source))
    .label(source === CLICKHOUSE ? 'ClickHouse' : 'Prometheus')
    .type(source.type)
    .current({ selected: true, text: source.name, value: source.uid });
}

/** A query of grafana-clickhouse-datasource 4. */
interface ClickHouseQuery extends cog.Dataquery {
  readonly refId: string;
  readonly datasource?: DataSourceRef;
  readonly editorType: 'sql';
  readonly rawSql: string;
  readonly queryType: 'table' | 'timeseries';
  /** The same in the numbers of its older versions. */
  readonly format: 0 | 1;
}

const FORMATS = { timeseries: 0, table: 1 } as const;

/** For panels, whose source is the panel's; `source` for alerts, which know no variables. */
export function clickHouseQuery(
  sql: string,
  queryType: ClickHouseQuery['queryType'],
  source?: DataSourceRef,
): cog.Builder<cog.Dataquery> {
  const query: ClickHouseQuery = {
    ...{ refId: 'A', editorType: 'sql', rawSql: sql, queryType, format: FORMATS[queryType] },
    ...(source !== undefined && { datasource: source }),
    _implementsDataqueryVariant: () => undefined,
  };
  return { build: () => query };
}
