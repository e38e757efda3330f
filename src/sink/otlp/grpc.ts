/**
 * OTLP over gRPC: unary calls on one HTTP/2 connection, by gRPC's own description of its protocol (PROTOCOL-HTTP2.md):
 *
 *     request   HEADERS, DATA (0 or 1 for compressed, 4 bytes of length, the message), end of stream
 *     answer    HEADERS, DATA of the same form, HEADERS with grpc-status; or one HEADERS with everything
 *
 * grpc-js would do the same and more, but its 950 kB made every command of the agent start 16 ms later, it hides its
 * sockets, whose traffic must not be traced, and it compresses at a level that costs more than it saves.
 */
import type * as Http2 from 'node:http2';
import { gunzipSync } from 'node:zlib';
import { judgeResponse } from './answer/export-response.ts';
import { judgeGrpcFailure, judgeNoGrpc } from './answer/grpc-answer.ts';
import type { Verdict } from './answer/verdict.ts';
import {
  compress,
  connect,
  connectError,
  connectionVerdict,
  createSocketSet,
  MAX_ANSWER_BYTES,
  messageOf,
  type Transport,
  type TransportOptions,
} from './transport.ts';

const METHOD = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
const PREFIX_BYTES = 5;
/** Megabytes that requests under way may take; beyond it Node.js refuses new ones. */
const MAX_SESSION_MEMORY = 256;

/** What came back on a stream, or why nothing did. */
interface GrpcAnswer {
  readonly headers: Http2.IncomingHttpHeaders;
  readonly trailers: Http2.IncomingHttpHeaders;
  readonly body: Buffer;
}
type Outcome = { readonly answer: GrpcAnswer } | { readonly failure: string };

export function createGrpcTransport(options: TransportOptions): Transport {
  const { url, where, timeoutMs } = options;
  // Loaded here: it takes 4 ms, which no other command has to wait for.
  const http2 = process.getBuiltinModule('node:http2');
  const sockets = createSocketSet();
  let session: Http2.ClientHttp2Session | null = null;
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

  /** Throws as reading a certificate does. */
  function openSession(): Http2.ClientHttp2Session {
    const socket = connect(options, 'h2');
    sockets.add(socket);
    const opened = http2.connect(url.origin, {
      createConnection: () => socket,
      maxSessionMemory: MAX_SESSION_MEMORY,
    });
    // Its streams report it.
    opened.on('error', () => undefined);
    return opened;
  }

  /** One call on the connection there is, or on a new one. */
  function call(message: Buffer): Promise<Outcome> {
    return new Promise((resolve) => {
      let used: Http2.ClientHttp2Session;
      try {
        if (session === null || session.closed || session.destroyed) session = openSession();
        used = session;
      } catch (error) {
        return resolve({ failure: connectError(error).message });
      }
      const stream = used.request(headers);
      const chunks: Buffer[] = [];
      let length = 0;
      let received: Http2.IncomingHttpHeaders = {};
      let trailers: Http2.IncomingHttpHeaders = {};
      const fail = (failure: string) => {
        clearTimeout(deadline);
        resolve({ failure });
        // Nobody knows what the connection is worth now: the next call gets a new one, and others on it end for this reason.
        used.destroy(new Error(failure));
      };
      const deadline = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
      stream.on('error', (error) => fail(describe(error)));
      stream.on('response', (found) => {
        received = found;
      });
      stream.on('trailers', (found) => {
        trailers = found;
      });
      stream.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length > MAX_ANSWER_BYTES) fail(`its answer is longer than ${MAX_ANSWER_BYTES} bytes`);
      });
      stream.on('close', () => {
        if (received[':status'] === undefined) return fail('closes the stream without an answer');
        clearTimeout(deadline);
        resolve({ answer: { headers: received, trailers, body: Buffer.concat(chunks) } });
      });
      stream.end(message);
    });
  }

  return {
    async send(request) {
      const isCompressed = options.compression === 'gzip';
      const outcome = await call(frame(isCompressed ? await compress(request) : request, isCompressed));
      if ('failure' in outcome) return connectionVerdict(where, outcome.failure);
      return judgeGrpc(outcome.answer, where);
    },
    sockets: sockets.list,
    close() {
      session?.destroy();
      sockets.destroyAll();
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

/** The one message of an answer, null where it holds none. grpc-go compresses as the request was, whatever it accepts. */
function unframe(body: Buffer): Buffer | null {
  const message = body.subarray(PREFIX_BYTES);
  if (body.length < PREFIX_BYTES || message.length !== body.readUInt32BE(1)) return null;
  if (body[0] === 0) return message;
  try {
    return gunzipSync(message, { maxOutputLength: MAX_ANSWER_BYTES });
  } catch {
    return null;
  }
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

/** A stream that never began says so; its cause is what happened to the connection. */
function describe(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  // What Node.js says of an HTTP/1 server that answers HTTP/2.
  return cause.message === 'Protocol error' ? 'does not speak gRPC' : messageOf(cause);
}
