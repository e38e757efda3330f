/** The Kafka sink against a real broker; what arrived is read by kcat. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { DONE } from '../../src/shared/result.ts';
import type { Batch } from '../../src/sink/batch.ts';
import { createKafkaSink, type KafkaSinkOptions } from '../../src/sink/kafka/kafka.ts';
import { ACKNOWLEDGED, type Sink } from '../../src/sink/sink.ts';
import { batchOf, sampleEvents } from '../support/batch.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { sinkOptions } from '../support/kafka-sink.ts';
import { silentLog } from '../support/silent-log.ts';
import { DEADLINE_MS, freePorts, until } from '../support/wait.ts';

const missing = whyNoKafka();
if (missing) console.warn(`skipped: Kafka sink against a real broker: ${missing}`);

const HOST = 'db-17.example.net';

describe.skipIf(missing)('the Kafka sink', () => {
  let broker: Broker;
  const sinks: Sink[] = [];

  beforeAll(async () => {
    broker = await startBroker();
  });
  afterEach(async () => {
    // What a test that has failed has left on its way would come to the topic of the next try.
    await Promise.all(sinks.splice(0).map((sink) => sink.close()));
    await broker.restore();
  });
  afterAll(() => broker?.stop());

  /** The name of a topic that no test has had, nor another try of this one. */
  let named = 0;
  const newName = (name: string) => `${name}-${named++}`;

  const create = (topic: string, options: Partial<KafkaSinkOptions> = {}) => {
    const sink = createKafkaSink(sinkOptions({ brokers: [broker.address], topic, ...options }));
    sinks.push(sink);
    return sink;
  };

  it.each([
    ['host', 'gzip', true],
    ['event_id', 'none', true],
    ['connection_id', 'zstd', false],
  ] as const)(
    'delivers every byte in order, keyed by %s, compression %s, idempotent %s',
    async (key, compression, idempotent) => {
      const topic = `keyed-by-${key}`;
      await broker.createTopic(topic, 7);
      const events = sampleEvents(1_234, topic);
      const sink = create(topic, { key, compression, idempotent, maxRequestBytes: 100_000 });
      expect(await sink.open()).toEqual(DONE);
      const batches = [batchOf(events.slice(0, 1_000)), batchOf([]), batchOf(events.slice(1_000))];
      expect(await Promise.all(batches.map(sink.send))).toEqual(batches.map(() => ACKNOWLEDGED));
      expect(sink.sockets?.()).toContainEqual({
        localPort: expect.any(Number),
        remotePort: Number(broker.address.split(':')[1]),
      });
      await sink.close();

      // kcat's librdkafka says where Java's partitioner puts this host.
      await broker.produce(topic, HOST, 'oracle');
      const records = await broker.consumeRecords(topic);
      const oracle = records.pop();
      expect(oracle).toMatchObject({ key: HOST, value: 'oracle' });
      expect(new Set(records.map(({ partition }) => partition))).toEqual(new Set([oracle?.partition]));
      expect(records.map(({ value }) => value)).toEqual(events.map((event) => JSON.stringify(event)));
      expect(records.map((record) => record.key)).toEqual(
        events.map((event) => (key === 'host' ? HOST : event[key])),
      );
    },
  );

  it('says how to create a topic that does not exist, and never creates it', async () => {
    const topic = newName('missing');
    const sink = create(topic);
    const problem = {
      ok: false,
      problem:
        `Kafka topic "${topic}" does not exist on ${broker.address} and is never created by the agent; create it: ` +
        `kafka-topics.sh --bootstrap-server ${broker.address} --create --topic ${topic} --partitions 12`,
      mayPass: false,
    };
    expect(await sink.open()).toEqual(problem);
    expect(await sink.open()).toEqual(problem);
    await broker.createTopic(topic, 1);
    expect(await sink.open()).toEqual(DONE);
  });

  it('names a broker that does not answer, by IPv4 or by IPv6', async () => {
    const [port] = await freePorts(1);
    const problemAt = (address: string) => create('any', { brokers: [`${address}:${port}`] }).open();
    expect(await problemAt('127.0.0.1')).toEqual({
      ok: false,
      problem: `Kafka at 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
      mayPass: true,
    });
    expect(await problemAt('[::1]')).toEqual({
      ok: false,
      problem: `Kafka at [::1]:${port}: connect ECONNREFUSED ::1:${port}`,
      mayPass: true,
    });
  });

  it('splits what the broker finds too large and refuses only the record that is', async () => {
    await broker.createTopic('small-messages', 1, { 'max.message.bytes': '20000' });
    const events = [
      ...sampleEvents(60, 'before'),
      { event_id: 'giant', filler: 'x'.repeat(30_000) },
      ...sampleEvents(50, 'after'),
    ];
    const sink = create('small-messages', { compression: 'none' });
    expect(await sink.send(batchOf(events))).toEqual({
      refused: [{ index: 60, reason: 'message_too_large' }],
      retry: null,
    });
    // The same producer goes on afterwards.
    expect(await sink.send(batchOf(sampleEvents(5, 'later')))).toEqual(ACKNOWLEDGED);
    // A sink that knows the limit never asks for more.
    const warnings: string[] = [];
    const log = { ...silentLog, warn: (_fields: object, message: string) => warnings.push(message) };
    const knowing = create('small-messages', { compression: 'none', maxRequestBytes: 19_000, log });
    expect(await knowing.send(batchOf(sampleEvents(100, 'knowing')))).toEqual(ACKNOWLEDGED);
    expect(warnings).toEqual([]);

    const expected = [
      ...events.filter((_, index) => index !== 60),
      ...sampleEvents(5, 'later'),
      ...sampleEvents(100, 'knowing'),
    ];
    expect(await broker.consume('small-messages')).toEqual(expected.map((event) => JSON.stringify(event)));
  });

  it('outlives a broker that is killed for 15 s: nothing is lost, nothing is doubled', async () => {
    await broker.createTopic('outage', 3);
    const events = sampleEvents(20_000, 'outage');
    const batches: Batch[] = [];
    for (let from = 0; from < events.length; from += 100)
      batches.push(batchOf(events.slice(from, from + 100)));
    const sink = create('outage');
    let acknowledged = 0;
    const sending = batches.map(async (batch) => {
      const result = await sink.send(batch);
      acknowledged++;
      return result;
    });
    await until(() => acknowledged >= 40, '40 batches acknowledged');
    await broker.kill();
    const acknowledgedAtKill = acknowledged;
    // The outage itself; starting takes the rest of the 15 s.
    await delay(10_000);
    expect(acknowledged).toBe(acknowledgedAtKill);
    expect(acknowledged).toBeLessThan(batches.length);
    await broker.start();
    expect(await Promise.all(sending)).toEqual(batches.map(() => ACKNOWLEDGED));
    expect(await broker.consume('outage')).toEqual(events.map((event) => JSON.stringify(event)));
  });

  it('gives a batch back when a broker hangs, and delivers with a fresh client later', async () => {
    await broker.createTopic('hanging', 1);
    const opened: string[] = [];
    const log = { ...silentLog, info: (_fields: object, message: string) => opened.push(message) };
    const sink = create('hanging', { requestTimeoutMs: 3_000, deliveryTimeoutMs: 6_000, log });
    const batches = ['first', 'second', 'third'].map((name) => batchOf(sampleEvents(20, name)));
    const [first, second, third] = batches as [Batch, Batch, Batch];
    expect(await sink.send(first)).toEqual(ACKNOWLEDGED);
    await broker.pause();
    // Timers of one event loop: a busy machine delays both.
    const late = delay(7_000, null);
    const given = await Promise.race([sink.send(second), late]);
    expect(given).toMatchObject({ refused: [], retry: { events: 'rest', afterMs: null } });
    expect(given?.retry?.reason).toMatch(
      /^Kafka at 127\.0\.0\.1:\d+: sending not done within \d+ ms; last: /,
    );
    // Still hanging: the fresh client cannot connect either.
    expect((await sink.send(second)).retry?.reason).toMatch(/: connecting not done within 3000 ms/);
    broker.resume();
    await until(async () => (await sink.send(second)).retry === null, 'the batch is acknowledged');
    expect(await sink.send(third)).toEqual(ACKNOWLEDGED);
    expect(opened.filter((message) => message === 'connected to Kafka')).toHaveLength(2);

    // What was sent before the deadline may have waited in the hanging broker: at least once, with the same id.
    const values = await broker.consume('hanging');
    const wanted = batches
      .map((batch) => batch.bytes.toString())
      .join('')
      .split('\n')
      .slice(0, -1);
    expect(new Set(values)).toEqual(new Set(wanted));
    const doubled = values.filter((value, index) => values.indexOf(value) !== index);
    expect(second.bytes.toString()).toContain([...new Set(doubled)].join('\n'));
  });

  it('holds events back while their topic is gone', async () => {
    await broker.createTopic('deleted', 2);
    const sink = create('deleted', { deliveryTimeoutMs: 5_000, requestTimeoutMs: 5_000 });
    expect(await sink.send(batchOf(sampleEvents(10, 'old')))).toEqual(ACKNOWLEDGED);
    await broker.deleteTopic('deleted');
    const batch = batchOf(sampleEvents(10, 'new'));
    // The broker takes a moment to let go of the topic.
    const reasons: string[] = [];
    const sendAgain = async () => reasons.push((await sink.send(batch)).retry?.reason ?? 'acknowledged');
    await until(async () => (await sendAgain()) > 0 && reasons.at(-1) !== 'acknowledged', 'it is gone');
    expect((await sink.send(batch)).retry?.reason).toMatch(
      /^Kafka topic "deleted" does not exist on .* --create /,
    );
    await broker.createTopic('deleted', 2);
    expect(await sink.send(batch)).toEqual(ACKNOWLEDGED);
    expect(await broker.consume('deleted')).toEqual(batch.bytes.toString().split('\n').slice(0, -1));
  });

  it('packs events, one a line, and splits a packed message down to the one event that is too large', async () => {
    await broker.createTopic('packed', 1, { 'max.message.bytes': '20000' });
    const events = [
      ...sampleEvents(90, 'before'),
      { event_id: 'giant', filler: 'x'.repeat(30_000) },
      ...sampleEvents(35, 'after'),
    ];
    const record = { maxEvents: 20, maxBytes: 12_000 };
    const sink = create('packed', { compression: 'none', record });
    expect(await sink.send(batchOf(events))).toEqual({
      refused: [{ index: 90, reason: 'message_too_large' }],
      retry: null,
    });
    const later = sampleEvents(45, 'later');
    const knowing = create('packed', { compression: 'none', record, maxRequestBytes: 19_000 });
    expect(await knowing.send(batchOf(later))).toEqual(ACKNOWLEDGED);

    const expected = [...events.filter((_, index) => index !== 90), ...later];
    expect(await broker.consume('packed')).toEqual(expected.map((event) => JSON.stringify(event)));
    // kcat prints the offset of each message, %K and %S the sizes of its key and value.
    const messages = await broker.consumeSizes('packed');
    expect(messages.length).toBeLessThan(40);
    for (const { keyBytes, valueBytes } of messages) {
      expect(keyBytes).toBe(HOST.length);
      expect(valueBytes).toBeLessThanOrEqual(record.maxBytes);
    }
  });

  it('sends each kind of event to its own topic, and names all topics that are missing', async () => {
    const kinds = ['tcp_life', 'tcp_state', 'tcp_reset'];
    const per = newName('per');
    const sink = create(`${per}.{event}`, { kinds });
    await broker.createTopic(`${per}.tcp_state`, 5);
    const creation = (topic: string) =>
      `kafka-topics.sh --bootstrap-server ${broker.address} --create --topic ${topic} --partitions 12`;
    expect(await sink.open()).toEqual({
      ok: false,
      problem:
        `Kafka topics "${per}.tcp_life", "${per}.tcp_reset" do not exist on ${broker.address} and are never created by ` +
        `the agent; create them: ${creation(`${per}.tcp_life`)} && ${creation(`${per}.tcp_reset`)}`,
      mayPass: false,
    });
    await broker.createTopic(`${per}.tcp_life`, 5);
    await broker.createTopic(`${per}.tcp_reset`, 5);
    expect(await sink.open()).toEqual(DONE);
    const events = sampleEvents(90, 'kinds').map((event, index) => ({ ...event, event: kinds[index % 3] }));
    expect(await sink.send(batchOf(events))).toEqual(ACKNOWLEDGED);
    const partitions = new Set<number>();
    for (const kind of kinds) {
      const records = await broker.consumeRecords(`${per}.${kind}`);
      const own = events.filter(({ event }) => event === kind);
      expect(records.map(({ value }) => value)).toEqual(own.map((event) => JSON.stringify(event)));
      for (const { partition } of records) partitions.add(partition);
    }
    expect(partitions.size).toBe(1);

    // A kind that a reload has switched on later: nothing of the rest is sent twice.
    const more = sampleEvents(4, 'later').map((event, index) => ({
      ...event,
      event: index % 2 === 0 ? 'tcp_life' : 'tcp_accept',
    }));
    const batch = batchOf(more);
    expect(await sink.send(batch)).toEqual({
      refused: [],
      retry: {
        events: [1, 3],
        afterMs: null,
        reason:
          `Kafka topic "${per}.tcp_accept" does not exist on ${broker.address} and is never created by the agent; ` +
          `create it: ${creation(`${per}.tcp_accept`)}`,
      },
    });
    await broker.createTopic(`${per}.tcp_accept`, 5);
    const account = await broker.account(`${per}.tcp_life`);
    expect(account).toMatchObject({ events: 32, doubled: 0, changed: [] });
  });

  it('sleeps while there is nothing to send', async () => {
    await broker.createTopic('quiet', 1);
    const sink = create('quiet');
    expect(await sink.open()).toEqual(DONE);
    expect(await sink.send(batchOf(sampleEvents(1)))).toEqual(ACKNOWLEDGED);
    const timers = vi.spyOn(globalThis, 'setTimeout');
    await delay(1_000);
    // kafkajs alone sets a new one every millisecond.
    expect(timers.mock.calls.length).toBeLessThan(10);
    timers.mockRestore();
    await sink.close();
  });

  it('prints nothing, not even a warning of Node.js about negative timeouts', async () => {
    await broker.createTopic('clean', 1);
    const use = `
      for (let count = 0; count < 20; count++) await sink.send(batchOf(sampleEvents(10, 'clean' + count)));
      await new Promise((resolve) => setTimeout(resolve, 100));
      console.log(opened.ok);`;
    const printed = await runSink(`['${broker.address}']`, 'clean', use);
    expect(printed).toEqual({ out: 'true\n', errors: '' });
    expect((await broker.account('clean')).events).toBe(200);
  });

  it('ends after close and takes no more', async () => {
    await broker.createTopic('closed', 1);
    const sink = create('closed');
    expect(await sink.open()).toEqual(DONE);
    await sink.close();
    await sink.close();
    expect(sink.sockets?.()).toEqual([]);
    expect((await sink.send(batchOf(sampleEvents(1)))).retry?.reason).toBe('the Kafka sink is closed');
  });
});

/** What a process of its own prints, warnings of Node.js included: it opens a sink and runs `use` with it. */
function runSink(brokers: string, topic: string, use: string): Promise<{ out: string; errors: string }> {
  const path = (file: string) => JSON.stringify(join(import.meta.dirname, '../..', file));
  const script = `
    import { createServer } from 'node:net';
    import { createKafkaSink } from ${path('src/sink/kafka/kafka.ts')};
    import { sinkOptions } from ${path('test/support/kafka-sink.ts')};
    import { batchOf, sampleEvents } from ${path('test/support/batch.ts')};
    const log = { debug() {}, info() {}, warn() {}, error: (_fields, message) => console.log(message) };
    const brokers = ${brokers};
    const sink = createKafkaSink(sinkOptions({
      brokers, topic: '${topic}', requestTimeoutMs: 3000, deliveryTimeoutMs: 3000, log,
    }));
    const opened = await sink.open();
    ${use}
    await sink.close();`;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '-e', script];
  return new Promise((resolve, reject) => {
    // Ends only when nothing is left that keeps the process alive.
    execFile(process.execPath, args, { timeout: DEADLINE_MS }, (error, out, errors) =>
      error ? reject(error) : resolve({ out, errors }),
    );
  });
}

/** What it says of a server that behaves as told. */
async function openAgainst(onConnection: string): Promise<string> {
  const server = `await new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      ${onConnection}
    }).listen(0, '127.0.0.1', () => resolve(['127.0.0.1:' + server.address().port])).unref();
  })`;
  const use = "console.log(JSON.stringify(opened).replace(/:\\d+/, ''));";
  const { out, errors } = await runSink(server, 't', use);
  expect(errors).toBe('');
  return out;
}

describe('the Kafka sink against something else', () => {
  it('survives a peer whose answers make kafkajs throw in the handler of a socket', async () => {
    expect(await openAgainst(`socket.on('data', () => socket.write(Buffer.alloc(4)));`)).toBe(
      'kafkajs threw outside of any call, its client will be renewed\n' +
        '{"ok":false,"problem":"Kafka at 127.0.0.1: kafkajs failed: Attempt to access memory outside buffer bounds","mayPass":true}\n',
    );
  });

  it('gives up a peer that never answers, and leaves nothing running', async () => {
    expect(await openAgainst('socket.resume();')).toMatch(
      /^{"ok":false,"problem":"Kafka at 127\.0\.0\.1: connecting not done within 3000 ms.*","mayPass":true}\n$/,
    );
  });
});
