/** Events as OTLP log records, acknowledged by the receiver's answer. */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { type Batch, rangeOf } from '../batch.ts';
import { type Refusal, retryAll, type SendResult, type Sink } from '../sink.ts';
import type { SinkLog } from '../sink-log.ts';
import type { TlsFiles } from '../tls-files.ts';
import { createJsonEncoder, createProtobufEncoder } from './encode/encode.ts';
import { createGrpcTransport } from './grpc.ts';
import { createHttpTransport } from './http.ts';
import type { Transport } from './transport.ts';

export type OtlpProtocol = 'http/protobuf' | 'http/json' | 'grpc';

export interface OtlpSinkOptions {
  readonly protocol: OtlpProtocol;
  /** Empty is the receiver on this host; a URL without a path gets `/v1/logs`, except for gRPC. */
  readonly endpoint: string;
  /** By name, for every request; may hold secrets. */
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: 'gzip' | 'none';
  /** How long one request may take. */
  readonly timeoutMs: number;
  readonly tls: TlsFiles;
  /** Of the agent, for the Resource and the scope. */
  readonly version: string;
  readonly log: SinkLog;
}

/** Of event JSON in one request: receivers of gRPC take 4 MiB by default, and what is larger they take in parts. */
const MAX_REQUEST_BYTES = 2 ** 21;
/** For what is under way. */
const CLOSE_DEADLINE_MS = 2_000;
/** A receiver that refuses does it again and again. */
const NOTICE_INTERVAL_MS = 60_000;

/** What has become of a part of a batch, added up request by request. */
interface Tally {
  readonly refused: Refusal[];
  unnamed: number;
}

/**
 * A batch is one request, or as many as its size asks for. Several batches may be under way at a time, so the order of
 * batches is not kept. A request whose answer got lost is sent again: receivers drop duplicates by `log.record.uid`.
 */
export function createOtlpSink(options: OtlpSinkOptions): Sink {
  const { log } = options;
  const url = endpointUrl(options);
  const where = options.protocol === 'grpc' ? url.origin : `${url.origin}${url.pathname}`;
  const createEncoder = options.protocol === 'http/json' ? createJsonEncoder : createProtobufEncoder;
  const encoder = createEncoder(options.version);
  const transport = createTransport(options, url, where);
  const notice = createNotice(log);
  const underWay = new Set<Promise<unknown>>();
  let closed = false;

  /** Null when every event of the range has found its end, else why it has to be sent again. */
  async function deliverRange(
    batch: Batch,
    from: number,
    to: number,
    tally: Tally,
  ): Promise<{ position: number; reason: string; afterMs: number | null } | null> {
    const request = encoder.encode(batch, from, to, Date.now());
    const verdict = await transport.send(request);
    switch (verdict.kind) {
      case 'accepted': {
        // It has been read to its end; with other answers a connection may still be busy with it.
        encoder.recycle(request);
        const count = Math.min(verdict.refused, to - from);
        tally.unnamed += count;
        if (count > 0)
          notice(
            { refused: count, message: verdict.message },
            `OTLP receiver ${where} has refused a part of a batch`,
          );
        return null;
      }
      case 'refused':
        notice({ refused: to - from }, verdict.message);
        tally.refused.push(...rangeOf(from, to).map((index) => ({ index, reason: verdict.reason })));
        return null;
      case 'too_large': {
        notice({ events: to - from }, `${verdict.message}: sending it in halves`);
        if (to - from === 1) {
          tally.refused.push({ index: from, reason: 'message_too_large' });
          return null;
        }
        const middle = (from + to) >>> 1;
        return (await deliverRange(batch, from, middle, tally)) ?? deliverRange(batch, middle, to, tally);
      }
      case 'retry':
        return { position: from, reason: verdict.reason, afterMs: verdict.afterMs };
    }
  }

  async function deliver(batch: Batch): Promise<SendResult> {
    const tally: Tally = { refused: [], unnamed: 0 };
    let failure: Awaited<ReturnType<typeof deliverRange>> = null;
    for (let from = 0; from < batch.count && failure === null; ) {
      const to = requestEnd(batch, from);
      failure = await deliverRange(batch, from, to, tally);
      from = to;
    }
    return {
      refused: tally.refused,
      ...(tally.unnamed > 0 && { refusedUnnamed: { count: tally.unnamed, reason: 'partial_success' } }),
      retry: failure && {
        events: failure.position === 0 ? 'rest' : rangeOf(failure.position, batch.count),
        afterMs: failure.afterMs,
        reason: failure.reason,
      },
    };
  }

  return {
    name: 'otlp',
    async open() {
      const verdict = await transport.send(encoder.empty);
      switch (verdict.kind) {
        case 'retry':
          return { problem: verdict.reason, mayPass: verdict.mayPass };
        case 'refused':
          // Some receivers refuse a request without events; that is an answer of OTLP as well.
          if (!verdict.isOtlp)
            return {
              problem: `${verdict.message}, and not as a receiver of OTLP does: check sink.otlp.endpoint`,
              mayPass: false,
            };
      }
      log.info({ endpoint: where, protocol: options.protocol }, 'connected to the OTLP receiver');
      return null;
    },
    async send(batch) {
      if (closed) return retryAll('the OTLP sink is closed');
      const sending = deliver(batch);
      underWay.add(sending);
      try {
        return await sending;
      } finally {
        underWay.delete(sending);
      }
    },
    async close() {
      closed = true;
      const finished = Promise.allSettled(underWay);
      // What is not acknowledged by then is handed back for a retry.
      await Promise.race([finished, delay(CLOSE_DEADLINE_MS, undefined, { ref: false })]);
      transport.close();
      await finished;
    },
    sockets: transport.sockets,
  };
}

/** By the OpenTelemetry specification, OTLP exporter: 4318 and `/v1/logs` for HTTP, 4317 for gRPC. */
export function endpointUrl({ protocol, endpoint }: Pick<OtlpSinkOptions, 'protocol' | 'endpoint'>): URL {
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

/** Where the request that begins with event `from` ends: at least one event. */
function requestEnd({ offsets, count }: Batch, from: number): number {
  const limit = (offsets[from] ?? 0) + MAX_REQUEST_BYTES;
  let to = from + 1;
  while (to < count && (offsets[to + 1] ?? 0) <= limit) to++;
  return to;
}

/** Warns at most once in a while, and says the rest to those who debug. */
function createNotice(log: SinkLog): (fields: object, message: string) => void {
  let quietUntil = 0;
  return (fields, message) => {
    const now = performance.now();
    if (now < quietUntil) return log.debug(fields, message);
    quietUntil = now + NOTICE_INTERVAL_MS;
    log.warn(fields, message);
  };
}
