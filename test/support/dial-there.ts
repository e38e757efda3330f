/**
 * Connects sinks to names with several addresses, in a network namespace of its own: a program that
 * test/sink/addresses.test.ts runs there. It serves on the addresses that are given, tries each name with each sink, and
 * prints an object per try.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer } from 'node:net';
import { performance } from 'node:perf_hooks';
import { createKafkaSink } from '../../src/sink/kafka/kafka.ts';
import { createOtlpSink } from '../../src/sink/otlp/otlp.ts';
import type { Sink } from '../../src/sink/sink.ts';
import { KTC } from './agent.ts';
import { sinkOptions } from './kafka-sink.ts';
import { acceptCall } from './otlp-receiver.ts';
import { silentLog } from './silent-log.ts';

/** Two protocols of OTLP, Kafka, and `ktc status`, which asks an agent. */
export const DIALLERS = ['http', 'grpc', 'kafka', 'status'] as const;
export type Dialler = (typeof DIALLERS)[number];

export interface Order {
  /** Where somebody listens. */
  readonly addresses: readonly string[];
  /** Where somebody accepts connections, and never answers. */
  readonly silent: readonly string[];
  readonly names: readonly string[];
  /** Of each try. */
  readonly timeoutMs: number;
}

export interface Try {
  readonly name: string;
  readonly by: Dialler;
  /** The address whose server was reached; null for none. */
  readonly reached: string | null;
  readonly problem: string | null;
  readonly ms: number;
  /** Until it was reached. */
  readonly attempts: number;
}

/** A sink is opened until it is ready. */
const ATTEMPTS = 2;
const PORTS = { http: 4318, grpc: 4317, kafka: 9092, status: 9474 } as const;
/** The address of the server that was reached last. */
const reached = new Map<Dialler, string>();

async function serve(address: string): Promise<void> {
  const answerHttp = (by: Dialler) =>
    createHttpServer((_, response) => {
      reached.set(by, address);
      response.end();
    });
  const grpc = createHttp2Server();
  grpc.on('stream', (stream: ServerHttp2Stream) => {
    reached.set('grpc', address);
    acceptCall(stream);
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
    [answerHttp('http'), PORTS.http],
    [answerHttp('status'), PORTS.status],
    [grpc, PORTS.grpc],
    [kafka, PORTS.kafka],
  ] as const)
    await once(server.listen(port, address).unref(), 'listening');
}

/** What `ktc status` says of an endpoint that is no agent's. */
function askStatus(name: string): Promise<string> {
  const args = ['status', '--address', `${name}:${PORTS.status}`];
  return new Promise((resolve) => {
    execFile(KTC, args, (_error, _stdout, stderr) => resolve(stderr));
  });
}

function createSink(kind: Exclude<Dialler, 'status'>, name: string, timeoutMs: number): Sink {
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

async function attempt(by: Dialler, name: string, timeoutMs: number): Promise<Try> {
  const began = performance.now();
  const took = () => Math.round(performance.now() - began);
  if (by === 'status') {
    const problem = await askStatus(name);
    return { name, by, reached: reached.get(by) ?? null, problem, ms: took(), attempts: 1 };
  }
  const sink = createSink(by, name, timeoutMs);
  let opened = await sink.open();
  const ms = took();
  let attempts = 1;
  for (; !reached.has(by) && attempts < ATTEMPTS; attempts++) opened = await sink.open();
  await sink.close();
  const problem = opened.ok ? null : opened.problem;
  return { name, by, reached: reached.get(by) ?? null, problem, ms, attempts };
}

const order = JSON.parse(process.argv[2] ?? '') as Order;
for (const address of order.addresses) await serve(address);
for (const address of order.silent)
  for (const port of Object.values(PORTS)) {
    const server = createServer((socket) => void socket.on('error', () => {}).resume());
    await once(server.listen(port, address).unref(), 'listening');
  }
for (const name of order.names) {
  reached.clear();
  const tries = await Promise.all(DIALLERS.map((by) => attempt(by, name, order.timeoutMs)));
  for (const each of tries) console.log(JSON.stringify(each));
}
