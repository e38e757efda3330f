/** All generated files below query/elasticsearch/generated/, with what is in them. `make query` writes them. */
import { dailyPipeline, streamPipeline } from './pipelines.ts';
import { savedObjects, type Target } from './saved-objects.ts';
import {
  componentTemplate,
  dailyTemplate,
  type Engine,
  entryTemplate,
  ilmPolicy,
  ismPolicy,
  rejectedTemplate,
  streamTemplate,
} from './templates.ts';

/** apply.sh puts another number in its place. */
const RETENTION_DAYS = 30;

const json = (content: object): string => `${JSON.stringify(content, null, 2)}\n`;

function engineFiles(engine: Engine): Record<string, object> {
  const policyOf = engine === 'elasticsearch' ? ilmPolicy : ismPolicy;
  return {
    [`${engine}/policy/ktc-events.json`]: policyOf(RETENTION_DAYS, 'daily'),
    [`${engine}/policy/ktc-events-stream.json`]: policyOf(RETENTION_DAYS, 'stream'),
    [`${engine}/policy/ktc-rejected.json`]: policyOf(RETENTION_DAYS, 'rejected'),
    [`${engine}/component-template/ktc-events.json`]: componentTemplate(),
    [`${engine}/index-template/ktc-events.json`]: entryTemplate(),
    [`${engine}/index-template/ktc-events-daily.json`]: dailyTemplate(engine),
    [`${engine}/index-template/ktc-events-stream.json`]: streamTemplate(engine),
    [`${engine}/index-template/ktc-rejected.json`]: rejectedTemplate(engine),
    [`${engine}/pipeline/ktc-events-stream.json`]: streamPipeline(RETENTION_DAYS),
    [`${engine}/pipeline/ktc-events.json`]: dailyPipeline(),
  };
}

const ndjson = (objects: readonly object[]): string =>
  objects.map((object) => `${JSON.stringify(object)}\n`).join('');

const DASHBOARD_FILES: Readonly<Record<Target, string>> = {
  '7.17': 'kibana-7.17.ndjson',
  '8': 'kibana-8.ndjson',
  opensearch: 'opensearch-dashboards.ndjson',
};

/** By their path below generated/. */
export const GENERATED: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.entries({ ...engineFiles('elasticsearch'), ...engineFiles('opensearch') }).map(
      ([path, content]) => [path, json(content)],
    ),
  ),
  ...Object.fromEntries(
    Object.entries(DASHBOARD_FILES).map(([target, path]) => [path, ndjson(savedObjects(target as Target))]),
  ),
};
