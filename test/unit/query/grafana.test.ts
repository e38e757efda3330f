/** The generated files of query/grafana are current, and can be provisioned as they are. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ALERT_FILE } from '../../../query/grafana/source/alerts.ts';
import { DASHBOARDS } from '../../../query/grafana/source/dashboards.ts';
import { GENERATED } from '../../../query/grafana/source/files.ts';
import { METRICS } from '../../../src/telemetry/metric-table.ts';
import { DELIVERY_LATENCY } from '../../../src/telemetry/metrics.ts';

const ROOT = join(import.meta.dirname, '../../../query/grafana/generated');
const RULES = readFileSync(join(ROOT, '../../prometheus/ktc.rules.yml'), 'utf8');

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly description: string;
  readonly datasource: { readonly type: string; readonly uid: string };
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>;
  readonly targets: readonly { readonly rawSql?: string; readonly expr?: string }[];
  readonly type: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly fieldConfig: {
    readonly defaults: { readonly noValue?: string; readonly thresholds?: object };
  };
}
interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly query?: string }[];
  };
}

const files = Object.entries(GENERATED).filter(([path]) => path.startsWith('dashboards/'));
const dashboards = files.map(([path, text]) => [path, JSON.parse(text) as Dashboard] as const);
const alerts = JSON.parse(GENERATED['alerting/ktc.json'] ?? '') as typeof ALERT_FILE;

describe('the generated files of query/grafana (make docs)', () => {
  test.each(Object.entries(GENERATED))('%s is as its source says', (path, content) => {
    expect(readFileSync(join(ROOT, path), 'utf8')).toBe(content);
  });

  test('there are no others', () => {
    const found = readdirSync(ROOT, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    const paths = found.map(({ parentPath, name }) => join(parentPath, name).slice(ROOT.length + 1));
    expect(paths.sort()).toEqual(Object.keys(GENERATED).sort());
  });
});

describe.each(dashboards)('%s', (_, { panels, templating }) => {
  const variables = templating.list.map(({ name }) => name);
  const queries = [
    ...panels.flatMap(({ targets }) => targets.map(({ rawSql, expr }) => rawSql ?? expr ?? '')),
    ...templating.list.flatMap(({ query }) => (query === undefined ? [] : [query])),
  ];

  test('names its data sources by variables that begin with the provisioned ones', () => {
    for (const { datasource, title } of panels) {
      const name = /^\$\{(clickhouse|prometheus)\}$/.exec(datasource.uid)?.[1];
      expect(variables, title).toContain(name);
    }
    expect(JSON.stringify(panels)).not.toContain('__inputs');
  });

  test('has every variable that its queries use', () => {
    const own = ['__from', '__to', '__interval_s', '__rate_interval'];
    const used = queries.flatMap((query) => [...query.matchAll(/\$\{?(\w+)/g)].map(([, name]) => name));
    for (const name of used) expect([...variables, ...own]).toContain(name);
    for (const query of queries) expect(query).not.toMatch(/\$__time|@\w/);
  });

  test('says what an empty answer means, has a legend on every chart, and no colour without a reason', () => {
    for (const { title, type, options, fieldConfig } of panels) {
      const { noValue, thresholds } = fieldConfig.defaults;
      expect(noValue, title).toMatch(/\.$/);
      if (type === 'timeseries') {
        expect(options['legend'], title).toMatchObject({ showLegend: true });
        expect(options['tooltip'], title).toMatchObject({ mode: 'multi' });
      }
      // Without thresholds of its own, Grafana paints every number from 80 on red.
      if (type === 'stat' && thresholds === undefined) expect(options['colorMode'], title).toBe('none');
    }
  });

  test('says of every panel what it answers, and has each panel in a place of its own', () => {
    const cells = panels.flatMap(({ description, gridPos: { x, y, w, h } }) => {
      expect(description).toMatch(/[.?]$/);
      expect(x + w).toBeLessThanOrEqual(24);
      return Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`);
    });
    expect(new Set(cells).size).toBe(cells.length);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });
});

test('dashboards have identifiers of their own, to which links and alerts refer', () => {
  const uids = DASHBOARDS.map(({ uid }) => uid);
  expect(new Set(uids).size).toBe(uids.length);
  for (const [, text] of files)
    for (const [, uid] of text.matchAll(/\/d\/([\w-]+)/g)) expect(uids).toContain(uid);
  for (const { annotations } of alerts.groups[0].rules as { annotations: Record<string, string> }[])
    expect(uids).toContain(annotations['__dashboardUid__']);
});

describe('alert rules', () => {
  const [group] = alerts.groups;

  test('are in a group with a folder, which the file needs and the SDK does not know', () => {
    expect(alerts.apiVersion).toBe(1);
    expect(group).toMatchObject({ orgId: 1, name: 'KTC', folder: 'KTC', interval: '1m' });
  });

  interface Rule {
    readonly uid: string;
    readonly title: string;
    readonly condition: string;
    readonly annotations: Readonly<Record<string, string>>;
    readonly data: readonly {
      readonly refId: string;
      readonly datasourceUid: string;
      readonly model: Readonly<Record<string, unknown>>;
    }[];
  }
  const rules = group.rules as unknown as readonly Rule[];

  test('are about retransmits, latency, silent hosts, missing events and losses', () => {
    expect(rules.map(({ uid }) => uid)).toEqual([
      ...['ktc-retransmit-ratio', 'ktc-connect-latency', 'ktc-silent-host', 'ktc-missing-events', 'ktc-lost'],
    ]);
  });

  test.each(rules.map((rule) => [rule.uid, rule] as const))('%s', (_, { condition, data, annotations }) => {
    expect(data.map(({ refId, datasourceUid }) => [refId, datasourceUid])).toEqual([
      ['A', 'ktc-clickhouse'],
      ['B', '__expr__'],
    ]);
    expect(condition).toBe('B');
    expect(data[1]?.model).toMatchObject({ type: 'threshold', expression: 'A' });
    const sql = String(data[0]?.model['rawSql']);
    // A table of texts and one number, with a row in any case.
    expect(sql).toMatch(/\nUNION ALL SELECT ('' AS \w+, )+toFloat64\(0\) AS value$/);
    expect(sql).not.toMatch(/\$/);
    const labels = [...sql.matchAll(/'' AS (\w+)/g)].map(([, label]) => label);
    for (const [, label] of String(annotations['summary']).matchAll(/\$labels\.(\w+)/g))
      expect(labels).toContain(label);
  });
});

test('dashboards and rules ask only for metrics that the agent has', () => {
  const names = METRICS.map(({ name, kind }) => (kind === 'counter' ? `${name}_total` : name));
  const histogram = ['bucket', 'count', 'sum'].map((part) => `${DELIVERY_LATENCY.name}_${part}`);
  const known = new Set([...names, ...histogram]);
  const expressions = [RULES.replace(/#.*|summary:.*|description:.*/g, ''), ...files.map(([, text]) => text)];
  const asked = expressions.flatMap((text) =>
    [...text.matchAll(/\b(?:ktc_(?!clickhouse)|process_)\w+/g)].map(([name]) => name),
  );
  expect(asked.length).toBeGreaterThan(20);
  for (const name of asked.filter((one) => one !== 'process_name')) expect(known).toContain(name);
});
