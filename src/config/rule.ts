/** What no key can tell alone: values that are right one by one and wrong together. */
import { accessSync, constants } from 'node:fs';
import * as zlib from 'node:zlib';
import { fileProblem } from './problem.ts';
import { type AgentConfig, type ConfigPath, keys } from './schema.ts';
import { readSecret } from './secret.ts';

export interface Rule {
  /** The keys it looks at. The problem is reported at the first of them. */
  readonly reads: readonly [ConfigPath, ...ConfigPath[]];
  readonly check: (config: AgentConfig) => string | null;
}

const STANDARD_OUTPUT = /^\/(dev\/stdout|dev\/fd\/1|proc\/self\/fd\/1)$/;

function unreadable(path: string): string | null {
  try {
    accessSync(path, constants.R_OK);
    return null;
  } catch (error) {
    return fileProblem(error);
  }
}

function keysBelow(section: string, last = ''): [ConfigPath, ...ConfigPath[]] {
  const [first, ...rest] = [...keys.keys()].filter((path) => path.startsWith(section) && path.endsWith(last));
  if (first === undefined) throw new Error(`no key below ${section}`);
  return [first, ...rest];
}

/** `low` must not be above `high`. */
function ordered(low: ConfigPath, high: ConfigPath, values: (config: AgentConfig) => [number, number]): Rule {
  return {
    reads: [low, high],
    check: (config) => {
      const [lowValue, highValue] = values(config);
      return lowValue <= highValue ? null : `is ${lowValue}, more than ${high}, which is ${highValue}`;
    },
  };
}

export const rules: readonly Rule[] = [
  {
    reads: ['sink.kafka.enabled', 'sink.otlp.enabled', 'sink.file.enabled', 'sink.stdout.enabled'],
    check: ({ sink: { kafka, otlp, file, stdout } }) =>
      [kafka, otlp, file, stdout].some(({ enabled }) => enabled)
        ? null
        : 'no sink is enabled: set this, sink.otlp.enabled, sink.file.enabled or sink.stdout.enabled to true',
  },
  {
    reads: [...keysBelow('events.'), 'summary.interval_s'],
    check: ({ events, summary }) =>
      Object.values(events).includes(true) || summary.interval_s > 0
        ? null
        : 'every kind of event is switched off: leave one on, or set summary.interval_s',
  },
  {
    reads: [...keysBelow('source.probes.', '.enabled'), 'source.kind'],
    check: ({ source }) =>
      source.kind === 'replay' || Object.values(source.probes).some(({ enabled }) => enabled)
        ? null
        : 'every probe is switched off: leave one on',
  },
  {
    reads: ['source.recording', 'source.kind'],
    check: ({ source }) => {
      if (source.kind !== 'replay') return null;
      return source.recording === ''
        ? 'must be set when source.kind is "replay"'
        : unreadable(source.recording);
    },
  },
  {
    reads: ['process.group', 'process.user'],
    check: ({ process: { user, group } }) =>
      group !== '' && user === '' ? 'needs process.user: set that too, or neither' : null,
  },
  ordered('batch.max_bytes', 'queue.max_bytes', ({ batch, queue }) => [batch.max_bytes, queue.max_bytes]),
  {
    reads: ['spool.max_bytes', 'batch.max_bytes', 'spool.enabled'],
    check: ({ spool, batch }) =>
      !spool.enabled || spool.max_bytes >= 4 * batch.max_bytes
        ? null
        : `is ${spool.max_bytes}, less than four times batch.max_bytes, which is ${batch.max_bytes}`,
  },
  ordered('sink.retry_initial_ms', 'sink.retry_max_ms', ({ sink }) => [
    sink.retry_initial_ms,
    sink.retry_max_ms,
  ]),
  ordered('sink.kafka.request_timeout_ms', 'sink.kafka.delivery_timeout_ms', ({ sink: { kafka } }) => [
    kafka.request_timeout_ms,
    kafka.delivery_timeout_ms,
  ]),
  {
    reads: ['sink.file.path', 'sink.file.enabled', 'sink.stdout.enabled'],
    check: ({ sink: { file, stdout } }) =>
      file.enabled && stdout.enabled && STANDARD_OUTPUT.test(file.path)
        ? 'is standard output, where sink.stdout writes too: change the path or switch one of them off'
        : null,
  },
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
  ...tlsRules('sink.kafka', ['sink.kafka.tls.enabled', 'sink.kafka.enabled'], ({ sink: { kafka } }) =>
    kafka.enabled && kafka.tls.enabled ? kafka.tls : null,
  ),
  {
    reads: ['sink.otlp.endpoint', 'sink.otlp.protocol', 'sink.otlp.enabled'],
    check: ({ sink: { otlp } }) =>
      otlp.enabled && otlp.protocol === 'grpc' && (URL.parse(otlp.endpoint)?.pathname ?? '/') !== '/'
        ? 'must have no path when sink.otlp.protocol is "grpc"'
        : null,
  },
  ...tlsRules('sink.otlp', ['sink.otlp.enabled'], ({ sink: { otlp } }) => (otlp.enabled ? otlp.tls : null)),
];

function needsForSasl({ enabled, sasl }: AgentConfig['sink']['kafka'], value: string): string | null {
  return enabled && sasl.mechanism !== 'none' && value === ''
    ? `must be set when sink.kafka.sasl.mechanism is "${sasl.mechanism}"`
    : null;
}

/** Of the certificate files of a sink; `used` gives them where the sink and its TLS are on. */
function tlsRules(
  sink: 'sink.kafka' | 'sink.otlp',
  switches: readonly ConfigPath[],
  used: (config: AgentConfig) => AgentConfig['sink']['otlp']['tls'] | null,
): Rule[] {
  const paths = {
    authority: `${sink}.tls.ca_file`,
    certificate: `${sink}.tls.certificate_file`,
    key: `${sink}.tls.key_file`,
  } as const;
  return [
    {
      reads: [paths.authority, ...switches],
      check: (config) => {
        const { ca_file = '' } = used(config) ?? {};
        return ca_file === '' ? null : unreadable(ca_file);
      },
    },
    {
      reads: [paths.certificate, paths.key, ...switches],
      check: (config) => {
        const { certificate_file = '', key_file = '' } = used(config) ?? {};
        if (certificate_file !== '') return unreadable(certificate_file);
        return key_file === '' ? null : `must be set when ${paths.key} is`;
      },
    },
    {
      reads: [paths.key, paths.certificate, ...switches, 'process.user'],
      check: (config) => {
        const { certificate_file = '', key_file = '' } = used(config) ?? {};
        if (key_file === '')
          return certificate_file === '' ? null : `must be set when ${paths.certificate} is`;
        const result = readSecret(key_file, config.process.user);
        return result.ok ? null : result.problem;
      },
    },
  ];
}
