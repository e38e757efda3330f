/** Kafka as a sink of the agent. */
import type { Secret } from '../../setting/secret.ts';
import type { SinkDefinition } from '../definition.ts';
import { tlsFilesOf } from '../tls-settings.ts';
import { createKafkaSink } from './kafka.ts';
import type { ClusterOptions, KafkaSasl } from './kafkajs/cluster.ts';
import { checks, type KafkaConfig, type KafkaPath, type KafkaValues, keys, password } from './settings.ts';

function saslOf({ sasl }: KafkaValues, secret: Secret | null): KafkaSasl | null {
  if (sasl.mechanism === 'none' || secret === null) return null;
  return { mechanism: sasl.mechanism, username: sasl.username, password: secret.reveal() };
}

/** How to reach the cluster: for the sink, and for who reads what it wrote. */
export function clusterOptionsOf(settings: KafkaValues, secret: Secret | null): ClusterOptions {
  return {
    brokers: settings.brokers,
    clientId: settings.client_id,
    requestTimeoutMs: settings.request_timeout_ms,
    tls: settings.tls.enabled ? tlsFilesOf(settings.tls) : null,
    sasl: saslOf(settings, secret),
  };
}

export const kafka = {
  keys,
  checks,
  secret: password,
  create({ sink }, secrets, { host, eventKinds, log }) {
    const settings = sink.kafka;
    return createKafkaSink({
      ...clusterOptionsOf(settings, secrets.kafka),
      topic: settings.topic,
      kinds: eventKinds,
      key: settings.key,
      record: {
        maxEvents: settings.format === 'json' ? 1 : settings.max_message_events,
        maxBytes: settings.max_message_bytes,
      },
      host,
      compression: settings.compression,
      compressionLevel: settings.compression_level,
      idempotent: settings.idempotent,
      deliveryTimeoutMs: settings.delivery_timeout_ms,
      maxRequestBytes: settings.max_request_bytes,
      log,
    });
  },
} satisfies SinkDefinition<KafkaConfig, KafkaPath, { readonly kafka: Secret | null }>;
