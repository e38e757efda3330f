/** The section `sink.otlp` of the configuration: keys, checks and the secret headers. */
import type { CrossCheck } from '../../setting/cross-check.ts';
import { key, stringMap } from '../../setting/key.ts';
import { boolean, httpUrl, integer, oneOf, optional, secretPath } from '../../setting/kind.ts';
import { success } from '../../shared/result.ts';
import type { SecretFile, SinkConfig, SinkPath } from '../definition.ts';
import { tlsChecks, tlsKeys } from '../tls-settings.ts';
import { headerName, headerValue, readHeaders, type SecretHeaders } from './headers.ts';

export const keys = {
  enabled: key(boolean, {
    default: false,
    doc: 'Send events as log records to a receiver of OTLP, such as an OpenTelemetry Collector.',
  }),
  protocol: key(oneOf('http/protobuf', 'http/json', 'grpc'), {
    default: 'http/protobuf',
    doc: 'Protocol of the requests. `http/json` uses the most CPU.',
  }),
  endpoint: key(optional(httpUrl), {
    default: '',
    doc: 'URL of the receiver; `https` encrypts and checks its certificate. For HTTP, a URL without a path gets `/v1/logs`. Empty means this host: `http://localhost:4318`, for gRPC `http://localhost:4317`.',
  }),
  headers: stringMap(headerName, headerValue, {
    default: {},
    doc: 'Headers of every request, such as a tenant. Do not put secrets here: `ktc config show` prints them.',
  }),
  headers_file: key(optional(secretPath), {
    default: '',
    doc: 'File with secret headers, such as `authorization: Bearer …`: one `name: value` per line, or a JSON object. Mode 0600 or narrower, owned by root or by `process.user`.',
  }),
  compression: key(oneOf('gzip', 'none'), { default: 'gzip', doc: 'Compression of requests.' }),
  timeout_ms: key(integer(100, 600_000), {
    default: 10_000,
    doc: 'How long the receiver may take for one request, in milliseconds. After that the request is sent again over a new connection.',
  }),
  tls: tlsKeys('the receiver asks'),
};

export type OtlpConfig = SinkConfig<'otlp', typeof keys>;
export type OtlpPath = SinkPath<'otlp', typeof keys>;

export const checks: readonly CrossCheck<OtlpConfig, OtlpPath>[] = [
  {
    reads: ['sink.otlp.endpoint', 'sink.otlp.protocol', 'sink.otlp.enabled'],
    check: ({ sink: { otlp } }) =>
      otlp.enabled && otlp.protocol === 'grpc' && (URL.parse(otlp.endpoint)?.pathname ?? '/') !== '/'
        ? 'must have no path when sink.otlp.protocol is "grpc"'
        : null,
  },
  ...tlsChecks('sink.otlp', ['sink.otlp.enabled'], ({ sink: { otlp } }: OtlpConfig) =>
    otlp.enabled ? otlp.tls : null,
  ),
];

export const headersFile: SecretFile<OtlpConfig, OtlpPath, SecretHeaders> = {
  shownAs: 'sink.otlp.headers',
  reads: ['sink.otlp.headers_file', 'sink.otlp.enabled', 'process.user'],
  read({ sink: { otlp }, process: { user } }) {
    const { enabled, headers_file } = otlp;
    return enabled && headers_file !== '' ? readHeaders(headers_file, user) : success({});
  },
};
