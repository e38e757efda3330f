/** The Kafka sink and brokers of older releases, read by kcat. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DONE } from '../../src/shared/result.ts';
import { createKafkaSink, type KafkaSinkOptions } from '../../src/sink/kafka/kafka.ts';
import { ACKNOWLEDGED, type Sink } from '../../src/sink/sink.ts';
import { batchOf, sampleEvents } from '../support/batch.ts';
import { type OldBrokers, RELEASES, type Release, startOldBrokers, whyNoOldKafka } from '../support/kafka.ts';
import { sinkOptions } from '../support/kafka-sink.ts';

const missing = whyNoOldKafka();
if (missing) console.warn(`skipped: brokers of older releases: ${missing}`);

describe.skipIf(missing)('the Kafka sink and a broker of an older release', () => {
  let brokers: OldBrokers;
  const sinks: Sink[] = [];
  beforeAll(async () => {
    brokers = await startOldBrokers();
  });
  afterEach(() => Promise.all(sinks.splice(0).map((sink) => sink.close())));
  afterAll(() => brokers?.stop());

  const create = (release: Release, topic: string, options: Partial<KafkaSinkOptions>) => {
    const { address } = brokers.of[release];
    const sink = createKafkaSink(sinkOptions({ brokers: [address], topic, ...options }));
    sinks.push(sink);
    return sink;
  };

  const COMPRESSIONS = { '1.1': ['none', 'gzip'], '2.8': ['none', 'gzip', 'zstd'] } as const;

  describe.each(RELEASES)('Kafka %s', (release) => {
    it.each(
      COMPRESSIONS[release].flatMap((compression) =>
        [true, false].map((idempotent) => [compression, idempotent] as const),
      ),
    )('takes events, compression %s, idempotent %s', async (compression, idempotent) => {
      const topic = `taken-${compression}-${idempotent}`;
      const broker = brokers.of[release];
      await broker.create(topic, 3);
      const sink = create(release, topic, { compression, idempotent });
      expect(await sink.open()).toEqual(DONE);
      expect(await sink.probe?.()).toEqual(DONE);
      const events = sampleEvents(500, topic);
      expect(await sink.send(batchOf(events.slice(0, 300)))).toEqual(ACKNOWLEDGED);
      expect(await sink.send(batchOf(events.slice(300)))).toEqual(ACKNOWLEDGED);
      expect(await broker.consume(topic)).toEqual(events.map((event) => JSON.stringify(event)));
    });
  });

  it.each([true, false])(
    'Kafka 1.1 is told from the start to lack zstd, idempotent %s',
    async (idempotent) => {
      const topic = `zstd-${idempotent}`;
      const broker = brokers.of['1.1'];
      await broker.create(topic, 1);
      const sink = create('1.1', topic, { compression: 'zstd', idempotent });
      const problem =
        `Kafka topic "${topic}" on ${broker.address}: does not take this compression; zstd needs brokers and a topic ` +
        'format of Kafka 2.1 or newer: set sink.kafka.compression to gzip';
      expect(await sink.open()).toEqual({ ok: false, problem, mayPass: false });
      expect((await sink.send(batchOf(sampleEvents(5)))).retry?.reason).toBe(problem);
      expect(await broker.consume(topic)).toEqual([]);
    },
  );
});
