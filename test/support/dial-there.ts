/**
 * Connects sinks to names with several addresses, in a network namespace of its own: a program that
 * test/system/addresses.test.ts runs there. It serves on the addresses that are given, tries each name with each sink, and
 * prints an object per try.
 */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer } from 'node:net';
import { performance } from 'node:perf_hooks';
import { createKafkaSink } from '../../src/sink/kafka/kafka.ts';
import { createOtlpSink } from '../../src/sink/otlp/otlp.ts';
import type { Sink } from '../../src/sink/sink.ts';
import { sinkOptions } from './kafka-sink.ts';
import { silentLog } from './silent-log.ts';

export const SINKS = ['http', 'grpc', 'kafka'] as const;
export type SinkKind = (typeof SINKS)[number];

export interface Order {
  /** Where somebody listens. */
  readonly addresses: readonly string[];
  readonly names: readonly string[];
  /** Of each try. */
  readonly timeoutMs: number;
}

export interface Try {
  readonly name: string;
  readonly sink: SinkKind;
  /** The address whose server was reached; null for none. */
  readonly reached: string | null;
  readonly problem: string | null;
  readonly ms: number;
}

const PORTS = { http: 4318, grpc: 4317, kafka: 9092 } as const;
/** The address of the server that was reached last, by sink. */
const reached = new Map<SinkKind, string>();

async function serve(address: string): Promise<void> {
  const http = createHttpServer((_, response) => {
    reached.set('http', address);
    response.end();
  });
  const grpc = createHttp2Server();
  grpc.on('stream', (stream: ServerHttp2Stream) => {
    reached.set('grpc', address);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    // A message without fields.
    stream.end(Buffer.alloc(5));
  });
  // The connection is what counts: that it ends without an answer is told as another problem.
  const kafka = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      reached.set('kafka', address);
      socket.destroy();
    });
  });
  for (const [server, port] of [
    [http, PORTS.http],
    [grpc, PORTS.grpc],
    [kafka, PORTS.kafka],
  ] as const)
    await once(server.listen(port, address).unref(), 'listening');
}

function createSink(kind: SinkKind, name: string, timeoutMs: number): Sink {
  if (kind === 'kafka') {
    const timeouts = { requestTimeoutMs: timeoutMs, deliveryTimeoutMs: timeoutMs };
    return createKafkaSink(sinkOptions({ brokers: [`${name}:${PORTS.kafka}`], topic: 'any', ...timeouts }));
  }
  return createOtlpSink({
    protocol: kind === 'grpc' ? 'grpc' : 'http/json',
    endpoint: `http://${name}:${PORTS[kind]}`,
    headers: {},
    compression: 'none',
    timeoutMs,
    tls: { caFile: null, certificateFile: null, keyFile: null },
    version: '1.2.3',
    log: silentLog,
  });
}

async function attempt(kind: SinkKind, name: string, timeoutMs: number): Promise<Try> {
  const sink = createSink(kind, name, timeoutMs);
  const began = performance.now();
  const opened = await sink.open();
  const ms = Math.round(performance.now() - began);
  await sink.close();
  const problem = opened.ok ? null : opened.problem;
  return { name, sink: kind, reached: reached.get(kind) ?? null, problem, ms };
}

const order = JSON.parse(process.argv[2] ?? '') as Order;
for (const address of order.addresses) await serve(address);
for (const name of order.names) {
  reached.clear();
  const tries = await Promise.all(SINKS.map((kind) => attempt(kind, name, order.timeoutMs)));
  for (const each of tries) console.log(JSON.stringify(each));
}
