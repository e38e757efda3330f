/** Events of a real Kafka topic reach a real OpenSearch by the configurations of query/elasticsearch/ways-in. */
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVENT_KINDS } from '../../src/event/kinds.ts';
import {
  type CollectorProcess,
  createCollectorProcess,
  whyNoCollector,
} from '../support/collector-process.ts';
import { type ElasticProduct, startElasticProduct } from '../support/elastic-product.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { type OpenSearch, startOpenSearch, whyNoOpenSearch } from '../support/opensearch.ts';
import { createRsyslog, type Rsyslog, whyNoRsyslog } from '../support/rsyslog.ts';
import { fullEvents } from '../support/sample-events.ts';
import { until } from '../support/wait.ts';

const DIRECTORY = join(import.meta.dirname, '../../query/elasticsearch');
const missing = whyNoOpenSearch() ?? whyNoKafka();
const noRsyslog = missing ?? whyNoRsyslog('imkafka', 'omelasticsearch');
const noCollector = missing ?? whyNoCollector();
if (noRsyslog) console.warn(`skipped: from Kafka into OpenSearch by rsyslog: ${noRsyslog}`);
if (noCollector) console.warn(`skipped: from Kafka into OpenSearch by the Collector: ${noCollector}`);

const EVENTS = 6000;

type Document = Readonly<Record<'event' | 'ktc', Readonly<Record<string, unknown>>>> &
  Readonly<Record<string, unknown>>;

const KAFKA_IN_FILES = { rsyslog: '"kafka-1:9092", "kafka-2:9092"', collector: 'kafka-1:9092, kafka-2:9092' };
const run = promisify(execFile);

/** The configuration in the file, with other words for some, each of which must be in it. */
function adapted(file: string, words: Readonly<Record<string, string>>): string {
  const text = readFileSync(join(DIRECTORY, 'ways-in', file), 'utf8');
  return Object.entries(words).reduce((changed, [from, to]) => {
    if (!changed.includes(from)) throw new Error(`no ${from} in ${file}`);
    return changed.replaceAll(from, to);
  }, text);
}

describe.skipIf(missing)('from a topic into daily indices', () => {
  let node: OpenSearch;
  let broker: Broker;

  beforeAll(async () => {
    [node, broker] = await Promise.all([startOpenSearch(), startBroker()]);
    expect(spawnSync(join(DIRECTORY, 'apply.sh'), ['--url', node.url]).status).toBe(0);
  });
  afterAll(() => Promise.all([node?.stop(), broker?.stop()]));

  /** The topic of one way and the documents that it makes, which are those of one CPU. */
  function wayOf(topic: string, cpu: number) {
    const mine = { term: { 'ktc.cpu': cpu } };
    return {
      topic,
      create: () => broker.createTopic(topic, 2),
      /** `count` events of now, each with an identifier of its own, from `first` on. */
      eventsFrom(first: number, count: number): string[] {
        const timestamp = `${new Date().toISOString().slice(0, -1)}000019Z`;
        return Array.from({ length: count }, (_, index) => {
          const event = fullEvents[index % fullEvents.length];
          const id = `${event?.boot_id}-00c0ffee-${cpu}-${first + index}`;
          return JSON.stringify({ ...event, timestamp, cpu, event_id: id });
        });
      },
      async produce(values: readonly string[], words: readonly string[] = []): Promise<void> {
        const producing = run('kcat', ['-b', broker.address, '-P', '-t', topic, '-z', 'gzip', ...words]);
        producing.child.stdin?.end(values.join('\n'));
        await producing;
      },
      count: () => node.count('ktc-events-*', mine),
      /** The first `count` documents by ordinal, without what is different for each. */
      async documents(count: number): Promise<Document[]> {
        const { hits } = await node.search('ktc-events-*', {
          size: count,
          query: mine,
          sort: [{ 'ktc.ordinal': 'asc' }],
        });
        return hits.hits.map(({ _source }) => {
          const { event, ktc, '@timestamp': _time, ...same } = _source as Document;
          const { id: _id, ingested: _ingested, ...sameOfEvent } = event;
          return { ...same, event: sameOfEvent, ktc: { ...ktc, cpu: 0 } };
        });
      },
      /** Each of the first `count` events is there, and nothing twice. */
      async holds(count: number): Promise<void> {
        expect(await node.count('ktc-events-*', mine)).toBe(count);
        const { aggregations } = await node.search('ktc-events-*', {
          size: 0,
          query: mine,
          aggs: {
            highest: { max: { field: 'ktc.ordinal' } },
            lowest: { min: { field: 'ktc.ordinal' } },
            different: { cardinality: { field: 'ktc.ordinal', precision_threshold: 40_000 } },
          },
        });
        expect(aggregations).toEqual({
          highest: { value: count - 1 },
          lowest: { value: 0 },
          different: { value: count },
        });
      },
    };
  }
  const reach = (count: () => Promise<number>, documents: number, what: string) =>
    until(async () => (await count()) >= documents, `${documents} ${what}`, { pauseMs: 300 });
  const rejected = () => node.count('ktc-rejected-*');

  describe.skipIf(noRsyslog)('rsyslog', () => {
    const way = wayOf('ktc-events', 3);
    let rsyslog: Rsyslog;

    beforeAll(async () => {
      await way.create();
      const configuration = adapted('rsyslog.conf', {
        [KAFKA_IN_FILES.rsyslog]: `"${broker.address}"`,
        'http://elasticsearch-1:9200': node.url,
        '/var/spool/rsyslog': 'DIRECTORY',
        '/var/log': 'DIRECTORY',
      });
      rsyslog = createRsyslog(configuration);
    });
    afterAll(() => rsyslog?.remove());

    test('every event is there once, though some come twice and rsyslog is stopped in between', async () => {
      const events = way.eventsFrom(0, EVENTS);
      await way.produce([...events.slice(0, EVENTS / 2), ...events.slice(0, 100)]);
      rsyslog.start();
      await reach(way.count, 1, 'document');
      await rsyslog.stop();
      await way.produce([...events.slice(EVENTS / 2), ...events.slice(-100)]);
      rsyslog.start();
      await reach(way.count, EVENTS, 'documents');
      await way.holds(EVENTS);
      expect(await rejected()).toBe(0);
    });

    test('messages that are no event are kept with the reason, and stop nothing', async () => {
      const [one = '', two = '', ...good] = way.eventsFrom(EVENTS, 5);
      const torn = '{"event_id":"torn, with a \\" and a \t, \u00fc';
      const bad = [torn, 'no JSON at all', `${one}\n${two}`];
      // Not by lines: a message has two of them.
      for (const value of bad) await way.produce([value], ['-D', '\u0001']);
      await way.produce(good);
      await reach(way.count, EVENTS + good.length, 'documents');
      await reach(rejected, bad.length, 'rejected messages');
      const { hits } = await node.search('ktc-rejected-*', { size: 100 });
      const messages = hits.hits.map(({ _source }) => (_source as { message: string }).message);
      expect([...new Set(messages)].sort()).toEqual([...bad].sort());
    });
  });

  describe.skipIf(noCollector)('the OpenTelemetry Collector', () => {
    const way = wayOf('ktc-events-by-collector', 5);
    let product: ElasticProduct;
    let collector: CollectorProcess;

    beforeAll(async () => {
      await way.create();
      product = await startElasticProduct(node.url);
      const configuration = adapted('otel-collector.yaml', {
        [KAFKA_IN_FILES.collector]: broker.address,
        'topics: [ktc-events]': `topics: [${way.topic}]`,
        'http://elasticsearch-1:9200': product.url,
      });
      collector = createCollectorProcess(() => configuration);
    });
    afterAll(async () => {
      await collector?.remove();
      await product?.stop();
    });

    test('every event is there once, though some come twice and the collector is killed in between', async () => {
      const before = await rejected();
      const events = way.eventsFrom(0, EVENTS);
      await way.produce([...events.slice(0, EVENTS / 2), ...events.slice(0, 100)]);
      collector.start();
      await reach(way.count, 1, 'document');
      await collector.end('SIGKILL');
      await way.produce([...events.slice(EVENTS / 2), ...events.slice(-100)]);
      collector.start();
      await reach(way.count, EVENTS, 'documents');
      await way.holds(EVENTS);
      expect(await rejected()).toBe(before);
    });

    test('a document is the same as of an event that was sent without the collector, numbers and all', async () => {
      const straight = wayOf('straight', 6);
      const events = straight.eventsFrom(0, fullEvents.length);
      expect((await node.bulk('ktc-events', { index: {} }, events)).byStatus).toEqual({ 201: events.length });
      const expected = await straight.documents(events.length);
      expect(expected.map(({ event }) => event['action']).sort()).toEqual([...EVENT_KINDS].sort());
      expect(await way.documents(events.length)).toEqual(expected);
    });

    test('messages that are no event stop nothing: those that are JSON are kept, and the others are logged', async () => {
      const before = await rejected();
      const good = way.eventsFrom(EVENTS, 3);
      const isJson = JSON.stringify({ nobody: 'knows' });
      for (const value of [isJson, 'no JSON at all', ...good]) await way.produce([value]);
      await reach(way.count, EVENTS + good.length, 'documents');
      await reach(rejected, before + 1, 'rejected messages');
      await until(
        () => collector.log().includes('failed to unmarshal'),
        'the collector to log what is no JSON',
      );
    });
  });
});
