/** All generated files below query/grafana/generated/, with what is in them. `make docs` writes them. */
import { ALERT_FILE } from './alerts.ts';
import { DASHBOARDS } from './dashboards.ts';

const json = (content: object): string => `${JSON.stringify(content, null, 2)}\n`;

/** By their path below generated/. */
export const GENERATED: Readonly<Record<string, string>> = {
  ...Object.fromEntries(DASHBOARDS.map((dashboard) => [`dashboards/${dashboard.uid}.json`, json(dashboard)])),
  'alerting/ktc.json': json(ALERT_FILE),
};
