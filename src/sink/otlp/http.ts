/** OTLP over HTTP/1.1: one POST a request, over connections that stay open. */
import * as http from 'node:http';
import * as https from 'node:https';
import { type HttpAnswer, judgeHttp } from './answer/http-answer.ts';
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

export interface HttpOptions extends TransportOptions {
  readonly contentType: 'application/x-protobuf' | 'application/json';
}

const STALE = ['ECONNRESET', 'EPIPE'];

type Outcome = { readonly answer: HttpAnswer } | { readonly failure: string; readonly isStale: boolean };

export function createHttpTransport(options: HttpOptions): Transport {
  const { url, where, timeoutMs } = options;
  const isSecure = url.protocol === 'https:';
  const sockets = createSocketSet();
  const agent = new (isSecure ? https : http).Agent({ keepAlive: true });
  agent.createConnection = (_, onCreated) => {
    try {
      const socket = connect(options, 'http/1.1');
      sockets.add(socket);
      return socket;
    } catch (error) {
      onCreated?.(connectError(error), undefined as never);
      return undefined;
    }
  };
  const headers = {
    ...options.headers,
    'content-type': options.contentType,
    ...(options.compression === 'gzip' && { 'content-encoding': 'gzip' }),
  };

  function post(body: Uint8Array): Promise<Outcome> {
    return new Promise((resolve) => {
      const request = (isSecure ? https : http).request(url, {
        method: 'POST',
        agent,
        headers: { ...headers, 'content-length': body.length },
      });
      const fail = (failure: string, isStale = false) => {
        clearTimeout(deadline);
        resolve({ failure, isStale });
        request.destroy();
      };
      const deadline = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
      // The receiver may close a connection that nobody used at the very moment of its next use.
      const onError = (error: NodeJS.ErrnoException) =>
        fail(describe(error), request.reusedSocket && STALE.includes(error.code ?? ''));
      request.on('error', onError);
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('error', onError);
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          length += chunk.length;
          if (length > MAX_ANSWER_BYTES) fail(`its answer is longer than ${MAX_ANSWER_BYTES} bytes`);
        });
        response.on('end', () => {
          clearTimeout(deadline);
          const { statusCode: status = 0, headers: received } = response;
          resolve({ answer: { status, headers: received, body: Buffer.concat(chunks) } });
        });
      });
      request.end(body);
    });
  }

  return {
    async send(request) {
      const body = options.compression === 'gzip' ? await compress(request) : request;
      let outcome = await post(body);
      if ('failure' in outcome && outcome.isStale) outcome = await post(body);
      if ('answer' in outcome) return judgeHttp(outcome.answer, where);
      return connectionVerdict(where, outcome.failure);
    },
    sockets: sockets.list,
    close() {
      agent.destroy();
      sockets.destroyAll();
    },
  };
}

function describe(error: NodeJS.ErrnoException): string {
  return error.code?.startsWith('HPE_') ? `does not speak HTTP (${error.message})` : messageOf(error);
}
