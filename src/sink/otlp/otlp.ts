/** Sends events as OTLP log records, acknowledged by the receiver's answer. */
import { DONE } from '../../shared/result.ts';
import { CLOSE_DEADLINE_MS, waitAtMost } from '../closing.ts';
import { createNotice } from '../notice.ts';
import { notReady, type Readiness, retryAll, type Sink } from '../sink.ts';
import type { SinkLog } from '../sink-log.ts';
import type { TlsFiles } from '../tls-files.ts';
import { deliverBatch } from './batch-delivery.ts';
import { createJsonEncoder, createProtobufEncoder } from './encode/encode.ts';
import { createGrpcTransport } from './grpc.ts';
import { createHttpTransport } from './http.ts';
import type { Transport } from './transport.ts';

export type OtlpProtocol = 'http/protobuf' | 'http/json' | 'grpc';

export interface OtlpSinkOptions {
  readonly protocol: OtlpProtocol;
  /** Empty means the receiver on this host; a URL without a path gets `/v1/logs`, except for gRPC. */
  readonly endpoint: string;
  /** By name, for every request; may contain secrets. */
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: 'gzip' | 'none';
  /** How long one request may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly tls: TlsFiles;
  /** Version of the agent, for the Resource and the scope. */
  readonly version: string;
  readonly log: SinkLog;
}

/**
 * A batch becomes one request, or several if it is large. Several batches may be under way at a time, so the order of
 * batches is not kept. A request whose answer got lost is sent again: receivers can drop duplicates by `log.record.uid`.
 */
export function createOtlpSink(options: OtlpSinkOptions): Sink {
  const { log } = options;
  const url = endpointUrl(options);
  const where = options.protocol === 'grpc' ? url.origin : `${url.origin}${url.pathname}`;
  const createEncoder = options.protocol === 'http/json' ? createJsonEncoder : createProtobufEncoder;
  const encoder = createEncoder(options.version);
  const transport = createTransport(options, url, where);
  const delivery = { encoder, transport, where, notice: createNotice(log) };
  const underWay = new Set<Promise<unknown>>();
  let isClosed = false;

  async function tryReceiver(): Promise<Readiness> {
    const verdict = await transport.send(encoder.empty);
    if (verdict.kind === 'retry') return notReady(verdict.reason, verdict.mayPass);
    // Some receivers refuse a request without events; that is an answer of a receiver of OTLP too.
    if (verdict.kind === 'refused' && !verdict.isOtlp) {
      const advice = 'and not as a receiver of OTLP does: check sink.otlp.endpoint';
      return notReady(`${verdict.message}, ${advice}`, false);
    }
    log.info({ endpoint: where, protocol: options.protocol }, 'connected to the OTLP receiver');
    return DONE;
  }

  return {
    name: 'otlp',
    open: tryReceiver,
    async send(batch) {
      if (isClosed) return retryAll('the OTLP sink is closed');
      const sending = deliverBatch(batch, delivery);
      underWay.add(sending);
      try {
        return await sending;
      } finally {
        underWay.delete(sending);
      }
    },
    async close() {
      isClosed = true;
      const finished = Promise.allSettled(underWay);
      // Events that are not acknowledged by then are given back to be sent again.
      await waitAtMost(CLOSE_DEADLINE_MS, finished);
      transport.close();
      await finished;
    },
    sockets: transport.sockets,
  };
}

/** Port and path as in the OpenTelemetry specification, OTLP exporter: 4318 and `/v1/logs` for HTTP, 4317 for gRPC. */
function endpointUrl({ protocol, endpoint }: Pick<OtlpSinkOptions, 'protocol' | 'endpoint'>): URL {
  const isGrpc = protocol === 'grpc';
  const url = new URL(endpoint === '' ? `http://localhost:${isGrpc ? 4317 : 4318}` : endpoint);
  if (!isGrpc && url.pathname === '/') url.pathname = '/v1/logs';
  return url;
}

function createTransport(options: OtlpSinkOptions, url: URL, where: string): Transport {
  const headers = { 'user-agent': `ktc-agent/${options.version}`, ...options.headers };
  const common = { ...options, headers, url, where };
  switch (options.protocol) {
    case 'grpc':
      return createGrpcTransport(common);
    case 'http/json':
      return createHttpTransport({ ...common, contentType: 'application/json' });
    case 'http/protobuf':
      return createHttpTransport({ ...common, contentType: 'application/x-protobuf' });
  }
}
