/** Receivers of OTLP that answer as they are told, for what a real collector cannot be made to do. */
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import * as grpc from '@grpc/grpc-js';

/** One request as it came. */
export interface Received {
  /** `performance.now()` of its end. */
  readonly at: number;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Ports of the client: the same for requests on the same connection. */
  readonly clientPort: number;
  /** Of the events in it, in order. */
  readonly ids: readonly string[];
}

export interface Receiver {
  readonly endpoint: string;
  readonly received: readonly Received[];
  /** Closes every connection that has no request on it, as servers do after a while. */
  closeIdle(): void;
  close(): Promise<void>;
}

export type HttpScript =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string | Buffer }
  /** Never answers. */
  | 'hang'
  /** Ends the connection instead of an answer. */
  | 'reset'
  /** Answers something that is not HTTP. */
  | 'garbage';

/** What an OTLP receiver says when it has everything. */
export const TAKEN = { status: 200, headers: { 'content-type': 'application/json' }, body: '{}' } as const;

export interface HttpReceiverOptions {
  /** What to answer to the request with this number, from 0. */
  readonly answer: (index: number, ids: readonly string[]) => HttpScript;
  /** PEM texts. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export async function startHttpReceiver({ answer, tls }: HttpReceiverOptions): Promise<Receiver> {
  const received: Received[] = [];
  const server: Server = tls ? createHttpsServer(tls) : createHttpServer();
  const sockets = new Set<Socket>();
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => sockets.add(socket));
  server.on('request', async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const ids = idsOf(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body);
    const script = answer(received.length, ids);
    received.push({
      at: performance.now(),
      path: request.url ?? '',
      headers: request.headers,
      clientPort: request.socket.remotePort ?? 0,
      ids,
    });
    if (script === 'hang') return;
    if (script === 'reset') request.socket.resetAndDestroy();
    else if (script === 'garbage') request.socket.end('\x16garbage\r\n\r\n');
    else response.writeHead(script.status, script.headers).end(script.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    received,
    closeIdle: () => server.closeIdleConnections(),
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

export type GrpcScript =
  /** OK, with this message. */
  | { readonly message: Buffer }
  | { readonly code: grpc.status; readonly details?: string; readonly status?: Buffer }
  | 'hang';

/** The same by grpc-js, another implementation of gRPC than the agent's. */
export async function startGrpcReceiver(
  answer: (index: number, ids: readonly string[]) => GrpcScript,
): Promise<Receiver> {
  const received: Received[] = [];
  const server = new grpc.Server();
  const path = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
  const asIs = (message: Buffer) => message;
  const definition = {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  } as const;
  server.addService(
    { Export: definition },
    {
      Export(call: grpc.ServerUnaryCall<Buffer, Buffer>, callback: grpc.sendUnaryData<Buffer>) {
        const ids = idsOf(call.request);
        const script = answer(received.length, ids);
        received.push({
          at: performance.now(),
          path,
          headers: call.metadata.getMap() as IncomingHttpHeaders,
          clientPort: Number(call.getPeer().split(':').at(-1)),
          ids,
        });
        if (script === 'hang') return;
        if ('message' in script) return callback(null, script.message);
        const metadata = new grpc.Metadata();
        if (script.status) metadata.set('grpc-status-details-bin', script.status);
        callback({ code: script.code, details: script.details ?? '', metadata });
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return {
    endpoint: `http://127.0.0.1:${port}`,
    received,
    closeIdle() {},
    async close() {
      server.forceShutdown();
    },
  };
}

/** Answers a call of gRPC by hand, on a server of HTTP/2: OK, with a message without fields. */
export function acceptCall(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.alloc(5));
}

const UID = 'log.record.uid';
/** JSON goes on with a quote; protobuf with field 2, its length, field 1 of the value, and the length of the text. */
const JSON_VALUE = /^"\s*,\s*"value"\s*:\s*\{\s*"stringValue"\s*:\s*"([^"]*)"/;

function idsOf(request: Buffer): string[] {
  const found: string[] = [];
  for (let at = request.indexOf(UID); at !== -1; at = request.indexOf(UID, at + 1)) {
    const value = at + UID.length;
    const json = JSON_VALUE.exec(request.toString('latin1', value, value + 200));
    const text = value + 4;
    found.push(json?.[1] ?? request.toString('latin1', text, text + (request[value + 3] ?? 0)));
  }
  return found;
}
