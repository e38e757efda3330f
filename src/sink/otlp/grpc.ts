/**
 * OTLP over gRPC: unary calls on one HTTP/2 connection, as PROTOCOL-HTTP2.md of gRPC describes it:
 *
 *     request   HEADERS, DATA (0 or 1 for compressed, 4 bytes of length, the message), end of stream
 *     answer    HEADERS, DATA of the same form, HEADERS with grpc-status; or one HEADERS with everything
 *
 * grpc-js would do the same and more. But its 950 kB made every command of the agent start 16 ms later, it hides its
 * sockets, whose traffic must not be traced, and it compresses at a level that costs more CPU than it is worth.
 */
import * as http2 from 'node:http2';
import { type Result, refusal, success } from '../../shared/result.ts';
import { createDialer } from '../dialer.ts';
import { judgeResponse } from './answer/export-response.ts';
import { judgeGrpcFailure, judgeNoGrpc } from './answer/grpc-answer.ts';
import type { Verdict } from './answer/verdict.ts';
import {
  collectBody,
  compressionOf,
  connect,
  connectError,
  connectionVerdict,
  decompress,
  type Transport,
  type TransportOptions,
} from './transport.ts';

const METHOD = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
const PREFIX_BYTES = 5;
/** Megabytes that requests under way may take; beyond that Node.js refuses new requests. */
const MAX_SESSION_MEMORY = 256;

/** `isRefused`: the receiver has not looked at the call, so it can be made again at once. */
type Outcome = Result<GrpcAnswer, { isRefused: boolean }>;

/** What came back on a stream. */
interface GrpcAnswer {
  readonly headers: http2.IncomingHttpHeaders;
  readonly trailers: http2.IncomingHttpHeaders;
  readonly body: Buffer;
}

export function createGrpcTransport(options: TransportOptions): Transport {
  const { url, where, timeoutMs } = options;
  const dialer = createDialer();
  const compress = compressionOf(options);
  let connection: http2.ClientHttp2Session | null = null;
  /** The one that is being made, which all calls wait for. */
  let opening: Promise<Result<http2.ClientHttp2Session>> | null = null;
  const headers = {
    ...options.headers,
    ':method': 'POST',
    ':path': METHOD,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': `${timeoutMs}m`,
    'grpc-accept-encoding': 'identity,gzip',
    ...(options.compression === 'gzip' && { 'grpc-encoding': 'gzip' }),
  };

  async function openConnection(): Promise<Result<http2.ClientHttp2Session>> {
    try {
      const socket = await connect(dialer, options, 'h2');
      connection = http2.connect(url.origin, {
        createConnection: () => socket,
        maxSessionMemory: MAX_SESSION_MEMORY,
      });
      // Its streams report its errors.
      connection.on('error', () => undefined);
      return success(connection);
    } catch (error) {
      return refusal(connectError(error).message);
    } finally {
      opening = null;
    }
  }

  /** The connection there is, or a new one. */
  async function currentConnection(): Promise<Result<http2.ClientHttp2Session>> {
    if (connection !== null && !connection.closed && !connection.destroyed) return success(connection);
    opening ??= openConnection();
    return opening;
  }

  /** Makes one call, which may take `leftMs`. */
  function call(used: http2.ClientHttp2Session, message: Buffer, leftMs: number): Promise<Outcome> {
    return new Promise((resolve) => {
      const refuse = (problem: string) => resolve({ ok: false, problem, isRefused: true });
      if (used.closed || used.destroyed) return refuse('the connection has ended');
      const stream = used.request(headers);
      const body = collectBody(stream, fail);
      const deadline = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), leftMs);
      let received: http2.IncomingHttpHeaders = {};
      let trailers: http2.IncomingHttpHeaders = {};

      function fail(failure: string): void {
        clearTimeout(deadline);
        resolve({ ok: false, problem: failure, isRefused: false });
        // The state of the connection is unknown: the next call gets a new one, and other calls on it end for this reason.
        used.destroy(new Error(failure));
      }

      stream.on('error', (error) => {
        // RFC 9113, section 8.7: a receiver that ends its connections (GOAWAY) finishes the calls before, and no other.
        if (stream.rstCode !== http2.constants.NGHTTP2_REFUSED_STREAM) return fail(describe(error));
        clearTimeout(deadline);
        used.close();
        refuse(describe(error));
      });
      stream.on('response', (found) => {
        received = found;
      });
      stream.on('trailers', (found) => {
        trailers = found;
      });
      stream.on('close', () => {
        // 'error' has told it.
        if (stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM) return;
        if (received[':status'] === undefined) return fail('closes the stream without an answer');
        clearTimeout(deadline);
        resolve(success({ headers: received, trailers, body: body() }));
      });
      stream.end(message);
    });
  }

  /** Connects, where there is no connection, and makes one call, within the time-out together. */
  async function callOnce(message: Buffer): Promise<Outcome> {
    const began = performance.now();
    const used = await currentConnection();
    if (!used.ok) return { ok: false, problem: used.problem, isRefused: false };
    return call(used.value, message, Math.max(0, timeoutMs - (performance.now() - began)));
  }

  return {
    async send(request) {
      const message = compress === null ? frame(request, false) : frame(compress(request), true);
      let outcome = await callOnce(message);
      if (!outcome.ok && outcome.isRefused) outcome = await callOnce(message);
      return outcome.ok ? judgeGrpc(outcome.value, where) : connectionVerdict(where, outcome.problem);
    },
    sockets: dialer.sockets,
    close() {
      connection?.destroy();
      dialer.close();
    },
  };
}

function frame(message: Uint8Array, isCompressed: boolean): Buffer {
  const framed = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  framed.writeUInt8(isCompressed ? 1 : 0, 0);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, PREFIX_BYTES);
  return framed;
}

/**
 * The message of an answer, null where it holds none. grpc-go compresses its answer like the request, whatever encodings
 * the request accepts.
 */
function unframe(body: Buffer): Buffer | null {
  const message = body.subarray(PREFIX_BYTES);
  if (body.length < PREFIX_BYTES || message.length !== body.readUInt32BE(1)) return null;
  return body[0] === 0 ? message : decompress(message);
}

function judgeGrpc({ headers, trailers, body }: GrpcAnswer, where: string): Verdict {
  // An answer without a message has its status in the first headers.
  const all = { ...headers, ...trailers };
  const code = all['grpc-status'];
  if (code === '0') return judgeResponse(unframe(body), 'protobuf', where);
  if (typeof code !== 'string') return judgeNoGrpc(Number(headers[':status']), where);
  const details = all['grpc-status-details-bin'];
  return judgeGrpcFailure(
    {
      code: Number(code),
      details: percentDecoded(String(all['grpc-message'] ?? '')),
      status: typeof details === 'string' ? Buffer.from(details, 'base64') : null,
    },
    where,
  );
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The reason in words. The error of a stream that never began has the error of the connection as its cause. */
function describe(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  // The message of Node.js when a server answers HTTP/2 with HTTP/1.
  return cause.message === 'Protocol error' ? 'does not speak gRPC' : cause.message;
}
