/** The agent's local HTTP endpoint: /healthz, /readyz, /status, /metrics, and POST /host_status. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isSystemError } from '../shared/errors.ts';
import { type Result, refusal, success } from '../shared/result.ts';
import { type TelemetrySnapshot, unreadiness } from './snapshot.ts';

/** An event loop that stood still for longer than this in the last one to two minutes is not healthy. */
const STANDSTILL_MAX_S = 5;

const LIMITS = {
  maxHeaderSize: 8 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  // How often Node.js looks for connections past these timeouts; its default is 30 s.
  connectionsCheckingInterval: 5_000,
};
const CONNECTIONS_MAX = 32;

export interface TelemetryServer {
  readonly address: string;
  /** The port that the system chose where 0 was configured. */
  readonly port: number;
  /** Ends every connection, also one whose answer is not complete. */
  close(): Promise<void>;
}

export interface TelemetryEndpoint {
  /** Loopback, unless the operator configured another address: callers need no password here. */
  readonly address: string;
  readonly port: number;
  readonly snapshot: () => TelemetrySnapshot;
  /** The text for /metrics. */
  readonly prometheus: () => Promise<string>;
  /** Emits a `host_status` and gives its `event_id`. Whoever reaches the endpoint may ask: one a second is all it gives. */
  readonly emitHostStatus: () => Promise<Result<string>>;
}

interface Route {
  readonly methods: readonly string[];
  readonly answer: () => Answer | Promise<Answer>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Opens the endpoint; a refusal says why it cannot listen, such as a port in use. */
export function serveTelemetry(endpoint: TelemetryEndpoint): Promise<Result<TelemetryServer>> {
  const routes = routesOf(endpoint);
  const server = createServer(LIMITS, (request, response) => void respond(routes, request, response));
  server.maxConnections = CONNECTIONS_MAX;

  return new Promise((resolve) => {
    server.once('error', (error) => resolve(refusal(listenProblem(endpoint, error))));
    server.listen({ host: endpoint.address, port: endpoint.port }, () => {
      // From here on, an error is one connection that could not be accepted, such as when no file descriptor is free.
      server.on('error', () => {});
      const { address, port } = server.address() as AddressInfo;
      const close = () =>
        new Promise<void>((closed) => {
          server.close(() => closed());
          server.closeAllConnections();
        });
      resolve(success({ address, port, close }));
    });
  });
}

const READ = ['GET', 'HEAD'];

function routesOf({ snapshot, prometheus, emitHostStatus }: TelemetryEndpoint): ReadonlyMap<string, Route> {
  const page = (answer: Route['answer']): Route => ({ methods: READ, answer });
  return new Map<string, Route>([
    ['/healthz', page(() => health(snapshot()))],
    ['/readyz', page(() => readiness(snapshot()))],
    ['/status', page(() => json(200, snapshot()))],
    [
      '/metrics',
      page(async () => ({
        status: 200,
        type: 'text/plain; version=0.0.4; charset=utf-8',
        body: await prometheus(),
      })),
    ],
    [
      '/host_status',
      {
        methods: ['POST'],
        async answer() {
          const emitted = await emitHostStatus();
          return emitted.ok
            ? json(200, { event_id: emitted.value })
            : json(503, { event_id: null, problem: emitted.problem });
        },
      },
    ],
  ]);
}

function health({ process: { event_loop_delay_max_s } }: TelemetrySnapshot): Answer {
  const alive = event_loop_delay_max_s <= STANDSTILL_MAX_S;
  return json(alive ? 200 : 503, { alive, event_loop_delay_max_s });
}

function readiness(snapshot: TelemetrySnapshot): Answer {
  const reasons = unreadiness(snapshot);
  const ready = reasons.length === 0;
  return json(ready ? 200 : 503, { ready, reasons });
}

async function respond(
  routes: ReturnType<typeof routesOf>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [path = ''] = (request.url ?? '').split('?');
  const route = routes.get(path);
  let answer: Answer;
  if (route === undefined) {
    answer = text(404, `no such page: there are ${[...routes.keys()].join(', ')}`);
  } else if (!route.methods.includes(request.method ?? '')) {
    response.setHeader('Allow', route.methods.join(', '));
    answer = text(405, `only ${route.methods.join(' and ')}`);
  } else {
    // A bug in a page must not end the delivery of events: the caller sees it, and can ask again.
    answer = await Promise.resolve()
      .then(route.answer)
      .catch((error: unknown) => text(500, `this page failed, please report it: ${String(error)}`));
  }
  // One request per connection: callers come every few seconds, so that an open connection would not help them.
  response.writeHead(answer.status, {
    'Content-Type': answer.type,
    'Content-Length': Buffer.byteLength(answer.body),
    'Cache-Control': 'no-store',
    Connection: 'close',
  });
  response.end(answer.body);
}

function json(status: number, value: unknown): Answer {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(value, null, 2)}\n` };
}

function text(status: number, line: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${line}\n` };
}

function listenProblem({ address, port }: TelemetryEndpoint, error: Error): string {
  const where = `telemetry cannot listen on ${address}:${port}`;
  switch (isSystemError(error) ? error.code : undefined) {
    case 'EADDRINUSE':
      return `${where}: the port is in use; stop the other process (ss -ltnp 'sport = :${port}') or configure another port`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${where}: this host has no such address; configure 127.0.0.1 or an address of this host`;
    case 'EACCES':
      return `${where}: ports below 1024 need privileges; configure a higher port`;
    default:
      return `${where}: ${error.message}`;
  }
}
