/** Options of a Kafka sink for tests: quick to give up, one event a record. */
import type { KafkaSinkOptions } from '../../src/sink/kafka/kafka.ts';
import { silentLog } from './silent-log.ts';

export function sinkOptions(
  options: Partial<KafkaSinkOptions> & Pick<KafkaSinkOptions, 'brokers' | 'topic'>,
): KafkaSinkOptions {
  return {
    clientId: 'ktc-test',
    host: 'db-17.example.net',
    kinds: [],
    key: 'host',
    record: { maxEvents: 1, maxBytes: 1 },
    compression: 'gzip',
    compressionLevel: 1,
    idempotent: true,
    requestTimeoutMs: 30_000,
    deliveryTimeoutMs: 60_000,
    maxRequestBytes: 900_000,
    tls: null,
    sasl: null,
    log: silentLog,
    ...options,
  };
}
