/** The section `sink.kafka` of the configuration: keys, checks and the password. */
import { isIP } from 'node:net';
import * as zlib from 'node:zlib';
import { EVENT_KINDS } from '../../event/kinds.ts';
import { type CrossCheck, ordered } from '../../setting/cross-check.ts';
import { key, list } from '../../setting/key.ts';
import { boolean, integer, line, name, oneOf, optional, secretPath, text } from '../../setting/kind.ts';
import { readPassword, type Secret } from '../../setting/secret.ts';
import { success } from '../../shared/result.ts';
import type { SecretFile, SinkConfig, SinkPath } from '../definition.ts';
import { tlsChecks, tlsKeys } from '../tls-settings.ts';

/** The name of a Kafka topic, in which `{event}` may stand once for the kind of the event. */
const topicPattern = text(
  '1 to 249 letters, digits or ".", "_", "-", with "{event}" at most once',
  (value) => /^(?!\.{1,2}$)[A-Za-z0-9._-]*(\{event\}[A-Za-z0-9._-]*)?$/.test(value) && isTopicLength(value),
);

/** The longest kind of event counts. */
function isTopicLength(pattern: string): boolean {
  const longest = Math.max(...EVENT_KINDS.map((kind) => pattern.replace('{event}', kind).length));
  return longest >= 1 && longest <= 249;
}

const broker = text('host:port, an IPv6 address in brackets', (value) => {
  const [, ipv6, host, port] = /^(?:\[(.*)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(value) ?? [];
  if (ipv6 === undefined ? host === undefined : isIP(ipv6) !== 6) return false;
  return Number(port) >= 1 && Number(port) <= 65_535;
});

export const keys = {
  enabled: key(boolean, {
    default: false,
    doc: 'Send events to Kafka. Events count as delivered when all in-sync replicas have acknowledged them.',
  }),
  brokers: list(broker, {
    default: [],
    doc: 'Brokers from which the agent learns the others of the cluster; two or three are enough.',
  }),
  topic: key(topicPattern, {
    default: 'ktc-events',
    doc: 'Topic for all events. If the name contains `{event}`, each kind of event has its own topic: `ktc.{event}` becomes `ktc.tcp_life` and so on. All topics must exist; the agent never creates them.',
  }),
  client_id: key(name('._-', 255), {
    default: 'ktc-agent',
    doc: "Name of the agent in the brokers' logs and quotas.",
  }),
  key: key(oneOf('host', 'connection_id', 'event_id'), {
    default: 'host',
    doc: "Field that becomes the message key. Whatever the key, the host decides the partition, so that one host's events stay in order.",
  }),
  format: key(oneOf('json', 'ndjson'), {
    default: 'json',
    doc: 'How events become messages. `json`: one event per message. `ndjson`: many events per message, one per line; this costs less CPU, and needs a consumer that splits lines. `ndjson` requires the key `host`.',
  }),
  max_message_events: key(integer(1, 10_000), {
    default: 500,
    doc: 'With `ndjson`: maximum number of events per message.',
  }),
  max_message_bytes: key(integer(1024, 104_857_600), {
    default: 262_144,
    doc: 'With `ndjson`: maximum size in bytes of a message that holds more than one event. At most `sink.kafka.max_request_bytes`.',
  }),
  compression: key(oneOf('gzip', 'zstd', 'none'), {
    default: 'gzip',
    doc: 'Compression of requests. `zstd` needs brokers and consumers of Kafka 2.1 or newer.',
  }),
  compression_level: key(integer(1, 9), {
    default: 1,
    doc: 'Level of gzip or zstd: 1 uses the least CPU, 9 the least network.',
  }),
  idempotent: key(boolean, {
    default: true,
    doc: 'Let the broker drop what a retry sends twice. This needs the right IdempotentWrite if the cluster has access lists.',
  }),
  request_timeout_ms: key(integer(1000, 600_000), {
    default: 30_000,
    doc: 'How long a broker may take for one request, in milliseconds. At most `sink.kafka.delivery_timeout_ms`.',
  }),
  delivery_timeout_ms: key(integer(1000, 3_600_000), {
    default: 120_000,
    doc: 'After this many milliseconds without an acknowledgement, the agent renews the connection and sends the batch again. Nothing is dropped.',
  }),
  max_request_bytes: key(integer(1024, 104_857_600), {
    default: 900_000,
    doc: "Maximum size of a request in bytes; larger ones are split. Keep it below the broker's `message.max.bytes` (1 MiB by default).",
  }),
  tls: {
    enabled: key(boolean, {
      default: false,
      doc: 'Encrypt connections, and check the certificate of the broker.',
    }),
    ...tlsKeys('brokers ask'),
  },
  sasl: {
    mechanism: key(oneOf('none', 'plain', 'scram-sha-256', 'scram-sha-512'), {
      default: 'none',
      doc: 'How to log in to the broker. With `plain`, the network can read the password unless TLS is enabled.',
    }),
    username: key(optional(line(255)), { default: '', doc: 'User name for the login.' }),
    password_file: key(optional(secretPath), {
      default: '',
      doc: 'File that holds only the password, mode 0600 or narrower, owned by root or by `process.user`. A byte order mark and a line break at the end are ignored.',
    }),
  },
};

export type KafkaConfig = SinkConfig<'kafka', typeof keys>;
export type KafkaPath = SinkPath<'kafka', typeof keys>;
export type KafkaValues = KafkaConfig['sink']['kafka'];

function needsForSasl({ enabled, sasl }: KafkaValues, value: string): string | null {
  return enabled && sasl.mechanism !== 'none' && value === ''
    ? `must be set when sink.kafka.sasl.mechanism is "${sasl.mechanism}"`
    : null;
}

export const checks: readonly CrossCheck<KafkaConfig, KafkaPath>[] = [
  ordered('sink.kafka.request_timeout_ms', 'sink.kafka.delivery_timeout_ms', ({ sink: { kafka } }) => [
    kafka.request_timeout_ms,
    kafka.delivery_timeout_ms,
  ]),
  {
    reads: ['sink.kafka.brokers', 'sink.kafka.enabled'],
    check: ({ sink: { kafka } }) =>
      kafka.enabled && kafka.brokers.length === 0
        ? 'must name at least one broker when Kafka is enabled'
        : null,
  },
  ordered('sink.kafka.max_message_bytes', 'sink.kafka.max_request_bytes', ({ sink: { kafka } }) => [
    kafka.max_message_bytes,
    kafka.max_request_bytes,
  ]),
  {
    reads: ['sink.kafka.key', 'sink.kafka.format'],
    check: ({ sink: { kafka } }) =>
      kafka.format === 'ndjson' && kafka.key !== 'host'
        ? `is "${kafka.key}", which differs between the events of one message: "ndjson" takes the key "host"`
        : null,
  },
  {
    reads: ['sink.kafka.compression'],
    check: ({ sink: { kafka } }) =>
      kafka.compression === 'zstd' && typeof zlib.zstdCompressSync !== 'function'
        ? `is "zstd", which Node.js ${process.versions.node} does not have: 22.15 or newer does`
        : null,
  },
  {
    reads: ['sink.kafka.sasl.username', 'sink.kafka.sasl.mechanism', 'sink.kafka.enabled'],
    check: ({ sink: { kafka } }) => needsForSasl(kafka, kafka.sasl.username),
  },
  {
    reads: ['sink.kafka.sasl.password_file', 'sink.kafka.sasl.mechanism', 'sink.kafka.enabled'],
    check: ({ sink: { kafka } }) => needsForSasl(kafka, kafka.sasl.password_file),
  },
  ...tlsChecks(
    'sink.kafka',
    ['sink.kafka.tls.enabled', 'sink.kafka.enabled'],
    ({ sink: { kafka } }: KafkaConfig) => (kafka.enabled && kafka.tls.enabled ? kafka.tls : null),
  ),
];

export const password: SecretFile<KafkaConfig, KafkaPath, Secret | null> = {
  shownAs: 'sink.kafka.sasl.password',
  reads: ['sink.kafka.sasl.password_file', 'sink.kafka.sasl.mechanism', 'sink.kafka.enabled', 'process.user'],
  // The checks find a file that must be named and is not.
  read({ sink: { kafka }, process: { user } }) {
    const { enabled, sasl } = kafka;
    if (!enabled || sasl.mechanism === 'none' || sasl.password_file === '') return success(null);
    return readPassword(sasl.password_file, user);
  },
};
