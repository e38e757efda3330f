/** The sinks that a configuration asks for. */
import type { Secrets } from '../../config/load.ts';
import type { AgentConfig } from '../../config/schema.ts';
import { type EventKind, SINGLE_EVENT_KINDS } from '../../event/tcp-event.ts';
import { createFileSink } from '../../sink/file.ts';
import { createKafkaSink } from '../../sink/kafka/kafka.ts';
import type { KafkaSasl } from '../../sink/kafka/kafkajs/cluster.ts';
import { createOtlpSink } from '../../sink/otlp/otlp.ts';
import type { Sink } from '../../sink/sink.ts';
import type { SinkLog } from '../../sink/sink-log.ts';
import { createStdoutSink } from '../../sink/stdout.ts';
import type { TlsFiles } from '../../sink/tls-files.ts';

export interface SinkContext {
  /** Of the agent, which receivers of OTLP are told. */
  readonly version: string;
  /** The host's name, which decides the Kafka partition. */
  readonly host: string;
  readonly secrets: Secrets;
  readonly log: SinkLog;
  /** Hears that nobody reads standard output any more. */
  readonly onStdoutClosed: (reason: string) => void;
}

function tlsFiles({ ca_file, certificate_file, key_file }: AgentConfig['sink']['otlp']['tls']): TlsFiles {
  const orNull = (path: string) => (path === '' ? null : path);
  return { caFile: orNull(ca_file), certificateFile: orNull(certificate_file), keyFile: orNull(key_file) };
}

/** By lower-case name; a secret one wins. */
function otlpHeaders({ headers }: AgentConfig['sink']['otlp'], { otlpHeaders }: Secrets) {
  return Object.fromEntries([
    ...Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
    ...Object.entries(otlpHeaders).map(([name, value]) => [name, value.reveal()]),
  ]);
}

function kafkaSasl({ sasl }: AgentConfig['sink']['kafka'], { saslPassword }: Secrets): KafkaSasl | null {
  if (sasl.mechanism === 'none' || saslPassword === null) return null;
  return { mechanism: sasl.mechanism, username: sasl.username, password: saslPassword.reveal() };
}

/** The names of the sinks that `createSinks` makes. */
export function sinkNames({ sink }: AgentConfig): string[] {
  return (['kafka', 'otlp', 'file', 'stdout'] as const).filter((name) => sink[name].enabled);
}

function kafkaRecord({ format, max_message_events, max_message_bytes }: AgentConfig['sink']['kafka']) {
  return {
    maxEvents: format === 'json' ? 1 : max_message_events,
    maxBytes: max_message_bytes,
  };
}

function emittedKinds({ events, summary }: AgentConfig): EventKind[] {
  const kinds: EventKind[] = SINGLE_EVENT_KINDS.filter((kind) => events[kind]);
  return summary.interval_s > 0 ? [...kinds, 'tcp_retransmit_summary'] : kinds;
}

export function createSinks(config: AgentConfig, context: SinkContext): Sink[] {
  const { sink } = config;
  const { log } = context;
  const sinks: Sink[] = [];
  if (sink.kafka.enabled) {
    const { kafka } = sink;
    sinks.push(
      createKafkaSink({
        brokers: kafka.brokers,
        topic: kafka.topic,
        kinds: emittedKinds(config),
        clientId: kafka.client_id,
        key: kafka.key,
        record: kafkaRecord(kafka),
        host: context.host,
        compression: kafka.compression,
        compressionLevel: kafka.compression_level,
        idempotent: kafka.idempotent,
        requestTimeoutMs: kafka.request_timeout_ms,
        deliveryTimeoutMs: kafka.delivery_timeout_ms,
        maxRequestBytes: kafka.max_request_bytes,
        tls: kafka.tls.enabled ? tlsFiles(kafka.tls) : null,
        sasl: kafkaSasl(kafka, context.secrets),
        log,
      }),
    );
  }
  if (sink.otlp.enabled) {
    const { otlp } = sink;
    sinks.push(
      createOtlpSink({
        protocol: otlp.protocol,
        endpoint: otlp.endpoint,
        headers: otlpHeaders(otlp, context.secrets),
        compression: otlp.compression,
        timeoutMs: otlp.timeout_ms,
        tls: tlsFiles(otlp.tls),
        version: context.version,
        log,
      }),
    );
  }
  if (sink.file.enabled) {
    const { path, max_bytes, max_files } = sink.file;
    sinks.push(createFileSink({ path, maxBytes: max_bytes, maxFiles: max_files, log }));
  }
  if (sink.stdout.enabled) {
    const { format } = sink.stdout;
    sinks.push(createStdoutSink({ format, stream: process.stdout, onClosed: context.onStdoutClosed }));
  }
  return sinks;
}
