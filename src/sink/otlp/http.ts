/** OTLP over HTTP/1.1: one POST per request, over connections that stay open. */
import * as http from 'node:http';
import * as https from 'node:https';
import { hasErrorCode } from '../../shared/errors.ts';
import { type Result, success } from '../../shared/result.ts';
import { createDialer } from '../dialer.ts';
import { type HttpAnswer, judgeHttp } from './answer/http-answer.ts';
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

export interface HttpOptions extends TransportOptions {
  readonly contentType: 'application/x-protobuf' | 'application/json';
}

/** `isStale`: the receiver had closed an unused connection, so the request can be sent again at once. */
type Outcome = Result<HttpAnswer, { isStale: boolean }>;

export function createHttpTransport(options: HttpOptions): Transport {
  const { url, where, timeoutMs } = options;
  const isSecure = url.protocol === 'https:';
  const dialer = createDialer();
  const compress = compressionOf(options);
  const client = isSecure ? https : http;
  const agent = new client.Agent({ keepAlive: true });
  agent.createConnection = (_, onCreated) => {
    void connect(dialer, options, 'http/1.1').then(
      (socket) => onCreated?.(null, socket),
      (error: unknown) => onCreated?.(connectError(error), undefined as never),
    );
    return undefined;
  };
  const headers = {
    ...options.headers,
    'content-type': options.contentType,
    ...(options.compression === 'gzip' && { 'content-encoding': 'gzip' }),
  };

  function post(body: Uint8Array): Promise<Outcome> {
    return new Promise((resolve) => {
      const request = client.request(url, {
        method: 'POST',
        agent,
        headers: { ...headers, 'content-length': body.length },
      });
      // The dialer, whose time began before, has told of a connection that does not come.
      const deadline = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);

      function fail(problem: string, isStale = false): void {
        clearTimeout(deadline);
        resolve({ ok: false, problem, isStale });
        request.destroy();
      }

      // The receiver may close a connection that nobody used at the very moment of its next use.
      function onError(error: Error): void {
        fail(describe(error), request.reusedSocket && hasErrorCode(error, 'ECONNRESET', 'EPIPE'));
      }

      request.on('error', onError);
      request.on('response', (response) => {
        const answer = collectBody(response, fail);
        response.on('error', onError);
        response.on('end', () => {
          clearTimeout(deadline);
          const { statusCode: status = 0, headers: received } = response;
          const isCompressed = /^(x-)?gzip$/i.test(received['content-encoding'] ?? '');
          const raw = answer();
          const body = isCompressed ? (decompress(raw) ?? raw) : raw;
          resolve(success({ status, headers: received, body }));
        });
      });
      request.end(body);
    });
  }

  return {
    async send(request) {
      // Several requests may be under way.
      const body = compress === null ? request : Buffer.from(compress(request));
      let outcome = await post(body);
      if (!outcome.ok && outcome.isStale) outcome = await post(body);
      return outcome.ok ? judgeHttp(outcome.value, where) : connectionVerdict(where, outcome.problem);
    },
    sockets: dialer.sockets,
    close() {
      agent.destroy();
      dialer.close();
    },
  };
}

function describe(error: Error): string {
  const code = 'code' in error ? String(error.code) : '';
  return code.startsWith('HPE_') ? `does not speak HTTP (${error.message})` : error.message;
}
