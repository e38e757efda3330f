/**
 * The alert rules that ask ClickHouse, as a file that Grafana provisions as it is. Grafana evaluates a table of text columns
 * (labels) and one number; a column of time or an empty table is an error. So each rule ends in a row that never fires.
 */
import * as alerting from '@grafana/grafana-foundation-sdk/alerting';
import * as expr from '@grafana/grafana-foundation-sdk/expr';
import { CLICKHOUSE, clickHouseQuery } from './datasource.ts';
import { lately, questionOf } from './question.ts';

interface Alert {
  readonly uid: string;
  readonly title: string;
  /** sql/alert-NAME.sql: its last column is the number. */
  readonly question: string;
  /** Minutes before now: of what it looks at, the start and the end. */
  readonly minutes: readonly [number, number];
  /** It fires above. */
  readonly threshold: number;
  readonly for: string;
  readonly summary: string;
  readonly dashboard: string;
}

const ALERTS: readonly Alert[] = [
  {
    ...{
      uid: 'ktc-retransmit-ratio',
      title: 'KTC: hosts send much again',
      question: 'alert-retransmit-ratio',
    },
    ...{ minutes: [15, 0], threshold: 2, for: '10m', dashboard: 'ktc-fleet' },
    summary:
      '{{ $labels.host }} in rack {{ $labels.rack }} sends {{ printf "%.1f" $values.A.Value }} % of its segments again.',
  },
  {
    ...{
      uid: 'ktc-connect-latency',
      title: 'KTC: a service accepts slowly',
      question: 'alert-connect-latency',
    },
    ...{ minutes: [15, 0], threshold: 1000, for: '10m', dashboard: 'ktc-fleet' },
    summary:
      'One connect of twenty from {{ $labels.from_service }} to {{ $labels.to_service }} takes more than a second: SYNs are lost, or its listen queue is full.',
  },
  {
    ...{ uid: 'ktc-silent-host', title: 'KTC: a host is silent', question: 'alert-silent-host' },
    ...{ minutes: [1440, 0], threshold: 300, for: '0s', dashboard: 'ktc-fleet' },
    summary:
      '{{ $labels.host }} in rack {{ $labels.rack }} has sent no host_status for {{ humanizeDuration $values.A.Value }}.',
  },
  {
    ...{ uid: 'ktc-missing-events', title: 'KTC: events are missing', question: 'alert-missing-events' },
    ...{ minutes: [120, 10], threshold: 0, for: '0s', dashboard: 'ktc-proof' },
    summary: '{{ $values.A.Value }} events of {{ $labels.host }} were acknowledged and did not arrive.',
  },
  {
    ...{ uid: 'ktc-lost', title: 'KTC: an agent loses events', question: 'alert-lost' },
    ...{ minutes: [60, 0], threshold: 0, for: '0s', dashboard: 'ktc-proof' },
    summary: '{{ $labels.host }} has lost {{ $values.A.Value }} in the last hour: {{ $labels.reason }}.',
  },
];

const GROUP = { name: 'KTC', folder: 'KTC', interval: '1m' } as const;
/** The SQL has its own range of time; Grafana wants one all the same. */
const RANGE_S = { from: 3600, to: 0 } as const;

function ruleOf({
  uid,
  title,
  question,
  minutes,
  threshold,
  for: duration,
  summary,
  dashboard,
}: Alert): object {
  const { question: description, sql } = questionOf(question, lately(...minutes));
  const data = new alerting.QueryBuilder('A')
    .datasourceUid(CLICKHOUSE.uid)
    .relativeTimeRange(RANGE_S)
    .model(clickHouseQuery(sql, 'table', { type: CLICKHOUSE.type, uid: CLICKHOUSE.uid }));
  const condition = new alerting.QueryBuilder('B')
    .datasourceUid('__expr__')
    .relativeTimeRange(RANGE_S)
    .model(
      new expr.TypeThresholdBuilder()
        .refId('B')
        .expression('A')
        .conditions([{ evaluator: { type: 'gt', params: [threshold] } }]),
    );
  const rule = new alerting.RuleBuilder(title)
    .uid(uid)
    .queries([data, condition])
    .condition('B')
    .forDuration(duration)
    .noDataState('Alerting')
    .execErrState('Error')
    .labels({ team: 'network' })
    // Grafana links a notification to this dashboard.
    .annotations({ summary, description, __dashboardUid__: dashboard })
    .build();
  // The file says folder, group and organization once for all of its rules.
  const { folderUID: _, ruleGroup: __, orgID: ___, ...rest } = rule;
  return rest;
}

/** The content of provisioning/alerting/ktc.json. */
export const ALERT_FILE = {
  apiVersion: 1,
  groups: [{ orgId: 1, ...GROUP, rules: ALERTS.map(ruleOf) }],
} as const;
