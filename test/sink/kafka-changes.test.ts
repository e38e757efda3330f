/** What a cluster may do to a client at any time: other partitions, sessions that end, quotas, addresses that lead nowhere. */
import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { DONE } from '../../src/shared/result.ts';
import { createKafkaSink, type KafkaSinkOptions } from '../../src/sink/kafka/kafka.ts';
import { ACKNOWLEDGED, type Readiness, type Sink } from '../../src/sink/sink.ts';
import { batchOf, sampleEvents } from '../support/batch.ts';
import { checkSettings } from '../support/check.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { sinkOptions } from '../support/kafka-sink.ts';
import { problemOf } from '../support/problem-of.ts';
import { silentLog } from '../support/silent-log.ts';
import { until } from '../support/wait.ts';

const missing = whyNoKafka();
if (missing) console.warn(`skipped: changes of a Kafka cluster: ${missing}`);

const UNKNOWN_NAME = 'no-such-host.invalid:9092';
const REFUSING = '127.0.0.1:1';
/** Of sessions, by mechanism: shorter than the 10 s before their end at which kafkajs alone would log in again. */
const SESSIONS = { plain: 4_000, 'scram-sha-256': 1_000, 'scram-sha-512': 2_500 } as const;

describe.skipIf(missing)('the Kafka sink and a cluster', () => {
  let broker: Broker;
  const sinks: Sink[] = [];

  beforeAll(async () => {
    broker = await startBroker({
      advertised: [UNKNOWN_NAME, REFUSING],
      saslUsers: { agent: 'right', limited: 'right' },
      properties: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS;User:agent',
        ...Object.fromEntries(
          Object.entries(SESSIONS).map(([mechanism, milliseconds]) => [
            `listener.name.sasl_plaintext.${mechanism}.connections.max.reauth.ms`,
            String(milliseconds),
          ]),
        ),
      },
    });
  });
  afterEach(() => Promise.all(sinks.splice(0).map((sink) => sink.close())));
  afterAll(() => broker?.stop());

  const create = (topic: string, options: Partial<KafkaSinkOptions> = {}) => {
    const sink = createKafkaSink(sinkOptions({ brokers: [broker.address], topic, ...options }));
    sinks.push(sink);
    return sink;
  };

  /** What the agent would find out at a check. */
  const check = async (sink: Sink): Promise<Readiness> => {
    const opened = await sink.open();
    return opened.ok ? (sink.probe?.() ?? opened) : opened;
  };

  describe('whose topic is deleted and made again at once, while events are sent', () => {
    /** As quickly as the broker allows; gives who counts its events from then on. */
    const makeAgain = async (topic: string, partitions: number): Promise<() => Promise<number>> => {
      const admin = new kafkajs.Kafka({
        brokers: [broker.address],
        logLevel: kafkajs.logLevel.NOTHING,
      }).admin();
      onTestFinished(() => admin.disconnect());
      await admin.connect();
      await admin.deleteTopics({ topics: [topic] });
      const topics = [{ topic, numPartitions: partitions, replicationFactor: 1 }];
      await until(() => admin.createTopics({ topics, waitForLeaders: false }), 'the topic again', {
        pauseMs: 5,
      });
      return async () => {
        const found = await admin.fetchTopicOffsets(topic).catch(() => []);
        return found.reduce((sum, { high }) => sum + Number(high), 0);
      };
    };

    it.each([
      [12, 1, true],
      [12, 1, false],
      [100, 7, true],
      [1, 12, true],
      [5, 5, false],
    ])(
      'with %i and then %i partitions, idempotent %s: goes on within seconds',
      async (before, after, idempotent) => {
        const topic = `again-${before}-${after}-${idempotent}`;
        await broker.createTopic(topic, before);
        const sink = create(topic, { idempotent });
        let acknowledged = 0;
        let isOver = false;
        const sending = (async () => {
          for (let batch = batchOf([]); !isOver; ) {
            const { retry } = await sink.send(batch);
            if (retry === null) batch = batchOf(sampleEvents(5, `${topic}-${acknowledged++}`));
            await delay(20);
          }
        })();
        await until(() => acknowledged > 5, 'events to be sent');
        const offsets = await makeAgain(topic, after);
        try {
          // The time for a whole batch is 60 s: so long it stood.
          await until(async () => (await offsets()) > 20, 'events in the new topic', { deadlineMs: 30_000 });
        } finally {
          isOver = true;
          await sending;
        }
        // The topic that was deleted may still have taken some of those, or be missed for a moment.
        const last = batchOf(sampleEvents(5, 'last'));
        const lines = last.bytes.toString().trimEnd().split('\n');
        await until(
          async () => {
            const { retry } = await sink.send(last);
            const found = retry === null ? await broker.consume(topic) : [];
            return lines.every((line) => found.includes(line));
          },
          'the last events in the new topic',
          { deadlineMs: 30_000 },
        );
      },
    );
  });

  it('that ends sessions after a few seconds: logs in again, and sends on over the same connection', async () => {
    const opened: string[] = [];
    const log = { ...silentLog, info: (_: object, message: string) => opened.push(message) };
    const mechanisms = Object.keys(SESSIONS) as (keyof typeof SESSIONS)[];
    const ends = performance.now() + 6_000;
    const results = mechanisms.map(async (mechanism) => {
      const topic = `sessions-${mechanism}`;
      await broker.createTopic(topic, 1);
      const sasl = { mechanism, username: 'agent', password: 'right' };
      const sink = create(topic, { brokers: [broker.saslAddress ?? ''], sasl, log });
      const answers = [];
      while (performance.now() < ends) {
        answers.push((await sink.send(batchOf(sampleEvents(3, `${topic}-${answers.length}`)))).retry);
        await delay(50);
      }
      // Longer than any session lasts, without a request.
      await delay(4_500);
      answers.push((await sink.send(batchOf(sampleEvents(3, 'late')))).retry);
      return answers.filter((retry) => retry !== null);
    });
    expect(await Promise.all(results)).toEqual(mechanisms.map(() => []));
    expect(opened).toEqual(mechanisms.map(() => 'connected to Kafka'));
  });

  it('that makes a client wait by a quota: says so, and sends on', async () => {
    await broker.createTopic('slowed', 1);
    await broker.limit('slow-client', 65_000);
    const warnings: string[] = [];
    const log = { ...silentLog, warn: (_: object, message: string) => warnings.push(message) };
    const sink = create('slowed', { clientId: 'slow-client', compression: 'none', log });
    expect(await sink.send(batchOf(sampleEvents(990, 'much')))).toEqual(ACKNOWLEDGED);
    expect(await sink.send(batchOf(sampleEvents(1, 'later')))).toEqual(ACKNOWLEDGED);
    const reason =
      'a quota of the broker \\(client id "slow-client"\\) makes this client wait \\d+ ms after a request';
    expect(warnings[0]).toMatch(new RegExp(`^Kafka: ${reason}$`));
    expect(warnings[1]).toMatch(new RegExp(`^Kafka: sending takes more than 1000 ms: ${reason}$`));
  });

  describe('that tells its clients an address which leads nowhere', () => {
    it.each([true, false])(
      'fails a check, and says whose address that is, idempotent %s',
      async (idempotent) => {
        await broker.createTopic('misled', 3);
        const [unknown = '', refusing = ''] = broker.misleadingAddresses;
        const problems = await Promise.all(
          [unknown, refusing].map(async (address) =>
            problemOf(await check(create('misled', { brokers: [address], idempotent }))),
          ),
        );
        const why =
          '; this address is not in sink.kafka.brokers but in the advertised.listeners of a broker: this host must ' +
          'resolve and reach it';
        expect(problems).toEqual([
          expect.stringMatching(
            `^Kafka at ${UNKNOWN_NAME}: getaddrinfo (ENOTFOUND|EAI_AGAIN) no-such-host.invalid${why}$`,
          ),
          `Kafka at ${REFUSING}: connect ECONNREFUSED ${REFUSING}${why}`,
        ]);
        // The same while running.
        const sink = create('misled', {
          brokers: [unknown],
          idempotent,
          requestTimeoutMs: 2_000,
          deliveryTimeoutMs: 2_000,
        });
        const { retry } = await sink.send(batchOf(sampleEvents(1)));
        expect(retry?.reason).toContain('getaddrinfo');
        expect(await broker.consume('misled')).toEqual([]);
      },
    );

    it('is found by ktc check', async () => {
      await broker.createTopic('misled', 3);
      const { code, findings } = await checkSettings({
        'sink.kafka.enabled': 'true',
        'sink.kafka.idempotent': 'false',
        'sink.kafka.topic': 'misled',
        'sink.kafka.brokers': JSON.stringify(broker.misleadingAddresses.slice(0, 1)),
      });
      expect(code).toBe(1);
      expect(findings).toContainEqual({
        name: 'sink kafka',
        verdict: 'failed',
        detail: expect.stringContaining('advertised.listeners'),
      });
    });
  });

  describe('where a check tries what a run will do', () => {
    const limited = () => ({
      brokers: [broker.saslAddress ?? ''],
      sasl: { mechanism: 'plain' as const, username: 'limited', password: 'right' },
      idempotent: false,
    });

    it('finds that the right to write is missing, also without idempotence', async () => {
      await broker.createTopic('not-mine', 1);
      await broker.allow('limited', 'not-mine', ['DESCRIBE']);
      let problem: string | null = null;
      // The rights reach the broker a moment later.
      await until(async () => {
        problem = problemOf(await check(create('not-mine', limited())));
        return problem?.includes('may not write') ?? false;
      }, 'the rights to be known');
      expect(problem).toBe(
        `Kafka topic "not-mine" on ${broker.saslAddress}: user "limited" may not write; grant it Write and Describe on the topic`,
      );
      await broker.allow('limited', 'not-mine', ['DESCRIBE', 'WRITE']);
      await until(async () => (await check(create('not-mine', limited()))).ok, 'the rights to be enough');
      expect(await broker.consume('not-mine')).toEqual([]);
    });

    it.each([
      ['one topic', 'checked', ['tcp_life']],
      ['a topic for each kind', 'checked-{event}', ['tcp_life', 'tcp_state']],
    ])('writes nothing to %s, and disturbs nothing', async (_, topic, kinds) => {
      const topics = [...new Set(kinds.map((kind) => topic.replace('{event}', kind)))];
      for (const name of topics) await broker.createTopic(name, 4);
      for (const compression of ['none', 'gzip', 'zstd'] as const)
        expect(await check(create(topic, { kinds, compression }))).toEqual(DONE);
      for (const name of topics) expect(await broker.consume(name)).toEqual([]);
      const sink = create(topic, { kinds });
      expect(await check(sink)).toEqual(DONE);
      const events = sampleEvents(kinds.length).map((each, index) => ({ ...each, event: kinds[index] }));
      expect(await sink.send(batchOf(events))).toEqual(ACKNOWLEDGED);
      expect((await broker.account(...topics)).events).toBe(kinds.length);
    });
  });
});
