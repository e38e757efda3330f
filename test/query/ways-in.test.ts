/** Events of a real Kafka topic reach a real OpenSearch by the configurations of query/elasticsearch/ways-in. */
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { type OpenSearch, startOpenSearch, whyNoOpenSearch } from '../support/opensearch.ts';
import { createRsyslog, type Rsyslog, whyNoRsyslog } from '../support/rsyslog.ts';
import { fullEvents } from '../support/sample-events.ts';
import { until } from '../support/wait.ts';

const DIRECTORY = join(import.meta.dirname, '../../query/elasticsearch');
const missing = whyNoOpenSearch() ?? whyNoKafka() ?? whyNoRsyslog('imkafka', 'omelasticsearch');
if (missing) console.warn(`skipped: the ways from Kafka into OpenSearch: ${missing}`);

const TOPIC = 'ktc-events';
const EVENTS = 6000;
const run = promisify(execFile);

/** `count` events of now, each with an identifier of its own, from `first` on. */
function eventsFrom(first: number, count: number): string[] {
  const timestamp = `${new Date().toISOString().slice(0, -1)}000019Z`;
  return Array.from({ length: count }, (_, index) => {
    const event = fullEvents[index % fullEvents.length];
    const id = `${event?.boot_id}-00c0ffee-3-${first + index}`;
    return JSON.stringify({ ...event, timestamp, cpu: 3, event_id: id });
  });
}

/** The text with other words for some, each of which must be in it. */
function adapt(text: string, words: Readonly<Record<string, string>>): string {
  return Object.entries(words).reduce((changed, [from, to]) => {
    if (!changed.includes(from)) throw new Error(`no ${from} in the configuration`);
    return changed.replaceAll(from, to);
  }, text);
}

describe.skipIf(missing)('rsyslog, from a topic into daily indices', () => {
  let node: OpenSearch;
  let broker: Broker;
  let rsyslog: Rsyslog;

  const produce = async (values: readonly string[], words: readonly string[] = []) => {
    const producing = run('kcat', ['-b', broker.address, '-P', '-t', TOPIC, '-z', 'gzip', ...words]);
    producing.child.stdin?.end(values.join('\n'));
    await producing;
  };
  const reach = (index: string, count: number) =>
    until(async () => (await node.count(index)) >= count, `${count} documents in ${index}`, { pauseMs: 300 });

  beforeAll(async () => {
    [node, broker] = await Promise.all([startOpenSearch(), startBroker()]);
    expect(spawnSync(join(DIRECTORY, 'apply.sh'), ['--url', node.url]).status).toBe(0);
    await broker.createTopic(TOPIC, 2);
    const configuration = adapt(readFileSync(join(DIRECTORY, 'ways-in/rsyslog.conf'), 'utf8'), {
      '"kafka-1:9092", "kafka-2:9092"': `"${broker.address}"`,
      'http://elasticsearch-1:9200': node.url,
      '/var/spool/rsyslog': 'DIRECTORY',
      '/var/log': 'DIRECTORY',
    });
    rsyslog = createRsyslog(configuration);
  });
  afterAll(async () => {
    await rsyslog?.remove();
    await Promise.all([node?.stop(), broker?.stop()]);
  });

  test('every event is there once, though some come twice and rsyslog is stopped in between', async () => {
    const events = eventsFrom(0, EVENTS);
    await produce([...events.slice(0, EVENTS / 2), ...events.slice(0, 100)]);
    rsyslog.start();
    await reach('ktc-events-*', 1);
    await rsyslog.stop();
    await produce([...events.slice(EVENTS / 2), ...events.slice(-100)]);
    rsyslog.start();
    await reach('ktc-events-*', EVENTS);
    expect(await node.count('ktc-events-*')).toBe(EVENTS);
    const { aggregations } = await node.search('ktc-events-*', {
      size: 0,
      aggs: { highest: { max: { field: 'ktc.ordinal' } }, lowest: { min: { field: 'ktc.ordinal' } } },
    });
    expect(aggregations).toEqual({ highest: { value: EVENTS - 1 }, lowest: { value: 0 } });
    expect(await node.count('ktc-rejected-*')).toBe(0);
  });

  test('messages that are no event are kept with the reason, and stop nothing', async () => {
    const [one = '', two = '', ...good] = eventsFrom(EVENTS, 5);
    const torn = '{"event_id":"torn, with a \\" and a \t, \u00fc';
    const bad = [torn, 'no JSON at all', `${one}\n${two}`];
    // Not by lines: a message has two of them.
    for (const value of bad) await produce([value], ['-D', '\u0001']);
    await produce(good);
    await reach('ktc-events-*', EVENTS + good.length);
    await reach('ktc-rejected-*', bad.length);
    const { hits } = await node.search('ktc-rejected-*', { size: 100 });
    const messages = hits.hits.map(({ _source }) => (_source as { message: string }).message);
    expect([...new Set(messages)].sort()).toEqual([...bad].sort());
  });
});
