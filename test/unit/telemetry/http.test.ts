import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { refusal, success } from '../../../src/shared/result.ts';
import { serveTelemetry, type TelemetryEndpoint, type TelemetryServer } from '../../../src/telemetry/http.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import type { TelemetrySnapshot } from '../../../src/telemetry/snapshot.ts';
import { readPrometheusText } from './prometheus-text.ts';
import { healthySnapshot } from './snapshots.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function serve(
  snapshot: () => TelemetrySnapshot = healthySnapshot,
  endpoint: Partial<Pick<TelemetryEndpoint, 'address' | 'prometheus' | 'emitHostStatus'>> = {},
): Promise<TelemetryServer> {
  const metrics = createMetrics();
  const server = await serveTelemetry({
    address: '127.0.0.1',
    port: 0,
    snapshot,
    prometheus: () => metrics.prometheus(snapshot),
    emitHostStatus: () => Promise.resolve(success('boot-cafe0123-0-513')),
    ...endpoint,
  });
  if (!server.ok) throw new Error(server.problem);
  cleanups.push(server.value.close, metrics.close);
  return server.value;
}

async function ask(server: TelemetryServer, path: string, options: RequestOptions = {}) {
  const asked = request({ host: server.address, port: server.port, path, agent: false, ...options }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

test('/status is the snapshot', async () => {
  const { status, headers, body } = await ask(await serve(), '/status');
  expect(status).toBe(200);
  expect(headers['content-type']).toBe('application/json; charset=utf-8');
  expect(headers['cache-control']).toBe('no-store');
  expect(JSON.parse(body)).toEqual(JSON.parse(JSON.stringify(healthySnapshot())));
  expect(body).toContain('\n  "ledger": {\n');
});

test('/metrics is Prometheus text 0.0.4', async () => {
  const { status, headers, body } = await ask(await serve(), '/metrics?debug=1');
  expect(status).toBe(200);
  expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(readPrometheusText(body).get('ktc_records_read_total')?.samples).toEqual(
    new Map([['ktc_records_read_total', 123_471]]),
  );
});

test('/readyz is 200 when the source is open and every sink is ready', async () => {
  const { status, body } = await ask(await serve(), '/readyz');
  expect([status, JSON.parse(body)]).toEqual([200, { ready: true, reasons: [] }]);
});

test('/readyz is 503 and names every reason', async () => {
  const healthy = healthySnapshot();
  const { kafka, file } = healthy.sinks;
  if (kafka === undefined || file === undefined) throw new Error('the snapshot has both sinks');
  const server = await serve(() => ({
    ...healthy,
    source: { ...healthy.source, open: false, problem: 'tracefs is not mounted' },
    sinks: {
      kafka: { ...kafka, state: 'retrying', problem: 'no broker answers' },
      file: { ...file, state: 'opening' },
    },
  }));
  const { status, body } = await ask(server, '/readyz');
  expect(status).toBe(503);
  expect(JSON.parse(body)).toEqual({
    ready: false,
    reasons: [
      'source tracepoints is not open: tracefs is not mounted',
      'sink kafka is retrying: no broker answers',
      'sink file is opening',
    ],
  });
});

test('/readyz is 503 when not one probe is enabled, unless a recording is replayed', async () => {
  const healthy = healthySnapshot();
  let kind = 'tracepoints';
  const server = await serve(() => ({ ...healthy, source: { ...healthy.source, kind, probes: [] } }));
  const unready = await ask(server, '/readyz');
  expect([unready.status, JSON.parse(unready.body)]).toEqual([
    503,
    { ready: false, reasons: ['source tracepoints has no probe enabled'] },
  ]);
  kind = 'replay';
  expect((await ask(server, '/readyz')).status).toBe(200);
});

test('an agent whose records somebody keeps from being made is not ready, and says how to end that', async () => {
  const healthy = healthySnapshot();
  const disturbances = ['ftrace is off: set it to 1'];
  const server = await serve(() => ({ ...healthy, source: { ...healthy.source, disturbances } }));
  const unready = await ask(server, '/readyz');
  expect([unready.status, JSON.parse(unready.body)]).toEqual([
    503,
    { ready: false, reasons: ['source tracepoints is disturbed: ftrace is off: set it to 1'] },
  ]);
});

test('/healthz is 200 while the event loop turns and 503 after a standstill', async () => {
  const healthy = healthySnapshot();
  let standstill = 5;
  const server = await serve(() => ({
    ...healthy,
    process: { ...healthy.process, event_loop_delay_max_s: standstill },
  }));
  expect((await ask(server, '/healthz')).status).toBe(200);
  standstill = 5.1;
  const { status, body } = await ask(server, '/healthz');
  expect([status, JSON.parse(body)]).toEqual([503, { alive: false, event_loop_delay_max_s: 5.1 }]);
});

test('HEAD answers as GET, without the body', async () => {
  const server = await serve();
  const got = await ask(server, '/status');
  const headed = await ask(server, '/status', { method: 'HEAD' });
  expect(headed.status).toBe(200);
  expect(headed.headers['content-length']).toBe(got.headers['content-length']);
  expect(headed.body).toBe('');
});

test('another path is 404 and lists those there are, another method is 405', async () => {
  const server = await serve();
  const unknown = await ask(server, '/');
  expect([unknown.status, unknown.body]).toEqual([
    404,
    'no such page: there are /healthz, /readyz, /status, /metrics, /host_status\n',
  ]);
  const posted = await ask(server, '/status', { method: 'POST' });
  expect([posted.status, posted.headers.allow]).toEqual([405, 'GET, HEAD']);
});

test('POST /host_status has one emitted, and answers with its event_id or with the reason against it', async () => {
  const post = { method: 'POST' };
  const emitted = await ask(await serve(), '/host_status', post);
  expect([emitted.status, JSON.parse(emitted.body)]).toEqual([200, { event_id: 'boot-cafe0123-0-513' }]);
  const stopping = await serve(healthySnapshot, {
    emitHostStatus: () => Promise.resolve(refusal('the agent is stopping')),
  });
  const refused = await ask(stopping, '/host_status', post);
  expect([refused.status, JSON.parse(refused.body)]).toEqual([
    503,
    { event_id: null, problem: 'the agent is stopping' },
  ]);
});

test('nothing that only reads has a host_status emitted: a link or a crawler may follow it', async () => {
  let asked = 0;
  const server = await serve(healthySnapshot, {
    emitHostStatus() {
      asked++;
      return Promise.resolve(success(''));
    },
  });
  for (const method of ['GET', 'HEAD']) {
    const { status, headers } = await ask(server, '/host_status', { method });
    expect([status, headers.allow]).toEqual([405, 'POST']);
  }
  expect(asked).toBe(0);
});

test('a page that fails is 500 and the endpoint goes on', async () => {
  const server = await serve(healthySnapshot, { prometheus: () => Promise.reject(new Error('no metrics')) });
  const { status, body } = await ask(server, '/metrics');
  expect([status, body]).toEqual([500, 'this page failed, please report it: Error: no metrics\n']);
  expect((await ask(server, '/status')).status).toBe(200);
});

test('no connection outlives its answer, even when the caller wants to keep it', async () => {
  const server = await serve();
  const socket = connect(server.port, server.address);
  socket.write('GET /healthz HTTP/1.1\r\nHost: ktc\r\nConnection: keep-alive\r\n\r\n');
  // Resolves only when the agent ends the connection.
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n(.+\r\n)*Connection: close\r\n/);
});

test('headers above the limit are refused', async () => {
  const { status } = await ask(await serve(), '/status', { headers: { 'x-long': 'x'.repeat(9_000) } });
  expect(status).toBe(431);
});

test('close ends a connection that says nothing and one whose answer is under way', async () => {
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const server = await serve(healthySnapshot, {
    prometheus: () => {
      asked();
      return new Promise<string>(() => {});
    },
  });
  const silent = connect(server.port, server.address);
  await once(silent, 'connect');
  const waiting = connect(server.port, server.address);
  waiting.write('GET /metrics HTTP/1.1\r\nHost: ktc\r\n\r\n');
  await isAsked;
  const ended = Promise.all([text(silent), text(waiting)]);
  await server.close();
  expect(await ended).toEqual(['', '']);
});

test('a port in use is told in one line that says what to do', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  cleanups.push(() => new Promise((resolve) => other.close(resolve)));
  const { port } = other.address() as AddressInfo;
  const answer = await serveTelemetry({
    address: '127.0.0.1',
    port,
    snapshot: healthySnapshot,
    prometheus: () => Promise.resolve(''),
    emitHostStatus: () => Promise.resolve(success('')),
  });
  expect(answer).toEqual({
    ok: false,
    problem:
      `telemetry cannot listen on 127.0.0.1:${port}: the port is in use; ` +
      `stop the other process (ss -ltnp 'sport = :${port}') or configure another port`,
  });
});

test('an address that is not of this host is told in one line', async () => {
  // TEST-NET-1 of RFC 5737: no host has it.
  const answer = await serveTelemetry({
    address: '192.0.2.1',
    port: 0,
    snapshot: healthySnapshot,
    prometheus: () => Promise.resolve(''),
    emitHostStatus: () => Promise.resolve(success('')),
  });
  expect(answer).toEqual({
    ok: false,
    problem:
      'telemetry cannot listen on 192.0.2.1:0: this host has no such address; ' +
      'configure 127.0.0.1 or an address of this host',
  });
});

test('listens on IPv6 loopback too', async () => {
  const server = await serve(healthySnapshot, { address: '::1' });
  expect((await ask(server, '/healthz')).status).toBe(200);
});
