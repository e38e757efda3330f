/** A receiver of OTLP as a sink of the agent. */
import type { SinkDefinition } from '../definition.ts';
import { tlsFilesOf } from '../tls-settings.ts';
import type { SecretHeaders } from './headers.ts';
import { createOtlpSink } from './otlp.ts';
import { checks, headersFile, keys, type OtlpConfig, type OtlpPath } from './settings.ts';

/** By lower-case name; a secret header replaces a public one. */
function joinHeaders(headers: Readonly<Record<string, string>>, secret: SecretHeaders) {
  return Object.fromEntries([
    ...Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
    ...Object.entries(secret).map(([name, value]) => [name, value.reveal()]),
  ]);
}

export const otlp = {
  keys,
  checks,
  secret: headersFile,
  create({ sink }, secrets, { version, log }) {
    const settings = sink.otlp;
    return createOtlpSink({
      protocol: settings.protocol,
      endpoint: settings.endpoint,
      headers: joinHeaders(settings.headers, secrets.otlp),
      compression: settings.compression,
      timeoutMs: settings.timeout_ms,
      tls: tlsFilesOf(settings.tls),
      version,
      log,
    });
  },
} satisfies SinkDefinition<OtlpConfig, OtlpPath, { readonly otlp: SecretHeaders }>;
