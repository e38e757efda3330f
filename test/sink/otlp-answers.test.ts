/** What the OTLP sink does on answers that a real collector cannot be made to give: what, and when. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { status as code } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { emit } from '../../src/ledger/booking.ts';
import { createLedger } from '../../src/ledger/ledger.ts';
import { createDelivery } from '../../src/pipeline/delivery.ts';
import { systemFiles } from '../../src/pipeline/spool/disk/files.ts';
import { openMemorySpool } from '../../src/pipeline/spool/open.ts';
import { DONE } from '../../src/shared/result.ts';
import { createOtlpSink, type OtlpProtocol, type OtlpSinkOptions } from '../../src/sink/otlp/otlp.ts';
import { ACKNOWLEDGED, type Sink } from '../../src/sink/sink.ts';
import { batchOf, sampleEvents } from '../support/batch.ts';
import { makeCertificates } from '../support/certificates.ts';
import {
  acceptCall,
  type GrpcScript,
  type HttpScript,
  type Receiver,
  startGrpcReceiver,
  startHttpReceiver,
  TAKEN,
} from '../support/otlp-receiver.ts';
import { problemOf } from '../support/problem-of.ts';
import { partialSuccess, retryInfo, rpcStatus } from '../support/rpc-status.ts';
import { silentLog } from '../support/silent-log.ts';
import { until } from '../support/wait.ts';

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanUp.splice(0).reverse()) await clean();
});

interface Bench {
  readonly receiver: Receiver;
  readonly sink: Sink;
  readonly warnings: string[];
}

function connect(receiver: Receiver, protocol: OtlpProtocol, options: Partial<OtlpSinkOptions>): Bench {
  const warnings: string[] = [];
  const sink = createOtlpSink({
    protocol,
    endpoint: receiver.endpoint,
    headers: { 'x-tenant': 'net' },
    compression: 'gzip',
    timeoutMs: 30_000,
    tls: { caFile: null, certificateFile: null, keyFile: null },
    version: '1.2.3',
    log: { ...silentLog, warn: (_fields, message) => warnings.push(message) },
    ...options,
  });
  cleanUp.push(
    () => receiver.close(),
    () => sink.close(),
  );
  return { receiver, sink, warnings };
}

async function http(script: readonly HttpScript[], options: Partial<OtlpSinkOptions> = {}): Promise<Bench> {
  const receiver = await startHttpReceiver({ answer: (index) => script[index] ?? TAKEN });
  return connect(receiver, 'http/json', options);
}

async function grpc(script: readonly GrpcScript[], options: Partial<OtlpSinkOptions> = {}): Promise<Bench> {
  const receiver = await startGrpcReceiver((index) => script[index] ?? { message: Buffer.alloc(0) });
  return connect(receiver, 'grpc', { compression: 'none', ...options });
}

const ids = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `sample-${from + index}`);
const json = (status: number, body: object, headers: Record<string, string> = {}): HttpScript => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});
const ten = () => batchOf(sampleEvents(10));

describe('a request over HTTP', () => {
  it('goes to /v1/logs unless the URL names a path, with the headers and an agent name', async () => {
    const { receiver, sink } = await http([]);
    expect(await sink.send(ten())).toEqual(ACKNOWLEDGED);
    const other = connect(receiver, 'http/json', { endpoint: `${receiver.endpoint}/base/logs?tenant=1` });
    expect(await other.sink.send(ten())).toEqual(ACKNOWLEDGED);
    expect(receiver.received.map(({ path }) => path)).toEqual(['/v1/logs', '/base/logs?tenant=1']);
    expect(receiver.received[0]).toMatchObject({
      ids: ids(0, 10),
      headers: {
        'content-type': 'application/json',
        'content-encoding': 'gzip',
        'x-tenant': 'net',
        'user-agent': 'ktc-agent/1.2.3',
      },
    });
    await other.sink.close();
  });

  it('uses the same connection as the one before, and another where that was closed', async () => {
    const { receiver, sink } = await http([]);
    for (let count = 0; count < 3; count++) expect(await sink.send(ten())).toEqual(ACKNOWLEDGED);
    receiver.closeIdle();
    expect(await sink.send(ten())).toEqual(ACKNOWLEDGED);
    const [first, second, third, fourth] = receiver.received.map(({ clientPort }) => clientPort);
    expect([second, third]).toEqual([first, first]);
    expect(fourth).not.toBe(first);
  });

  it('is repeated at once where the receiver closes a used connection instead of an answer', async () => {
    const { receiver, sink } = await http([TAKEN, 'reset', TAKEN]);
    expect(await sink.send(ten())).toEqual(ACKNOWLEDGED);
    expect(await sink.send(ten())).toEqual(ACKNOWLEDGED);
    expect(receiver.received).toHaveLength(3);
  });

  it('is given back where the receiver closes a new connection', async () => {
    const { receiver, sink } = await http(['reset']);
    expect((await sink.send(ten())).retry).toMatchObject({
      events: 'rest',
      reason: expect.stringMatching(/: (socket hang up|read ECONNRESET)$/),
    });
    expect(receiver.received).toHaveLength(1);
  });
});

describe('an HTTP answer', () => {
  it.each([
    [429, '7', 7_000],
    [503, '0', null],
    [503, '86400', 600_000],
    [502, 'soon', null],
    [504, undefined, null],
  ])('%i with Retry-After %s gives the batch back for %s ms', async (status, after, afterMs) => {
    const headers: Record<string, string> = after === undefined ? {} : { 'retry-after': after };
    const { sink, receiver } = await http([json(status, { code: 14, message: 'queue is\nfull' }, headers)]);
    expect(await sink.send(ten())).toEqual({
      refused: [],
      retry: {
        events: 'rest',
        afterMs,
        reason: `OTLP receiver ${receiver.endpoint}/v1/logs answers ${status}, "queue is full"`,
      },
    });
  });

  it('with a date in Retry-After gives the batch back until then', async () => {
    const date = new Date(Date.now() + 30_000).toUTCString();
    const { sink } = await http([{ status: 429, headers: { 'retry-after': date } }]);
    const sendingMs = Date.now();
    const afterMs = (await sink.send(ten())).retry?.afterMs ?? 0;
    expect(afterMs).toBeGreaterThanOrEqual(Date.parse(date) - Date.now());
    expect(afterMs).toBeLessThanOrEqual(Date.parse(date) - sendingMs);
  });

  it('429 holds the pipeline back for as long as it asks, and then everything is delivered', async () => {
    const { sink, receiver } = await http([TAKEN, { status: 429, headers: { 'retry-after': '1' } }]);
    const ledger = createLedger(['otlp']);
    const account = ledger.sinks['otlp'];
    if (account === undefined) throw new Error('no account');
    const faults: string[] = [];
    const { spool, readers } = openMemorySpool(ledger.sinks, 1 << 20, systemFiles);
    const reader = readers.get('otlp');
    if (reader === undefined) throw new Error('no reader');
    const delivery = createDelivery({
      sink,
      reader,
      takeLimits: () => ({ maxEvents: 500, maxBytes: 1 << 20 }),
      onRefused() {},
      account,
      maxInFlight: 1,
      retryInitialMs: 1,
      retryMaxMs: 1,
      onFault: (reason) => faults.push(reason),
      onDelivered() {},
    });
    expect(await delivery.open()).toEqual(DONE);
    for (let event = 0; event < 10; event++) emit(ledger);
    spool.append(ten(), null);
    delivery.pump();
    await until(() => account.delivered === 10, 'the batch to be delivered');
    const [, refused, taken] = receiver.received;
    expect(receiver.received).toHaveLength(3);
    expect(taken?.ids).toEqual(refused?.ids);
    expect((taken?.at ?? 0) - (refused?.at ?? 0)).toBeGreaterThanOrEqual(995);
    expect(faults).toHaveLength(1);
    await delivery.drain(0);
  });

  it.each([
    ['a number', 3],
    ['a string, as JSON writes an int64', '3'],
  ])('of partial success counts what it refused, given as %s', async (_, rejectedLogRecords) => {
    const { sink, warnings } = await http([
      json(200, { partialSuccess: { rejectedLogRecords, errorMessage: 'old' } }),
    ]);
    expect(await sink.send(ten())).toEqual({
      refused: [],
      refusedUnnamed: { count: 3, reason: 'partial_success' },
      retry: null,
    });
    expect(warnings).toEqual([expect.stringMatching(/has refused a part of a batch$/)]);
  });

  it.each([
    ['more than there were', 99, { count: 10, reason: 'partial_success' }],
    ['none, which is a warning', 0, undefined],
    ['nonsense', -5, undefined],
  ])('of partial success that refuses %s', async (_, rejectedLogRecords, refusedUnnamed) => {
    const { sink } = await http([json(200, { partialSuccess: { rejectedLogRecords, errorMessage: 'x' } })]);
    expect((await sink.send(ten())).refusedUnnamed).toEqual(refusedUnnamed);
  });

  it('of partial success is read in protobuf too', async () => {
    const answer = {
      status: 200,
      headers: { 'content-type': 'application/x-protobuf' },
      body: partialSuccess(4, 'late'),
    };
    const receiver = await startHttpReceiver({ answer: () => answer });
    const { sink } = connect(receiver, 'http/protobuf', {});
    expect(await sink.send(ten())).toMatchObject({ refusedUnnamed: { count: 4 }, retry: null });
    expect(receiver.received[0]?.ids).toEqual(ids(0, 10));
  });

  it('400 refuses the events for good, once', async () => {
    const { sink, receiver, warnings } = await http([json(400, { code: 3, message: 'too old' })]);
    expect(await sink.send(ten())).toEqual({
      refused: ids(0, 10).map((_, index) => ({ index, reason: 'bad_request' })),
      retry: null,
    });
    expect(receiver.received).toHaveLength(1);
    expect(warnings).toEqual([`OTLP receiver ${receiver.endpoint}/v1/logs answers 400, "too old"`]);
  });

  it('413 halves the request until the event that is too large is alone', async () => {
    const receiver = await startHttpReceiver({
      answer: (_, found) => (found.includes('sample-6') ? { status: 413 } : TAKEN),
    });
    const { sink } = connect(receiver, 'http/json', {});
    expect(await sink.send(ten())).toEqual({
      refused: [{ index: 6, reason: 'message_too_large' }],
      retry: null,
    });
    const taken = receiver.received
      .filter(({ ids: found }) => !found.includes('sample-6'))
      .flatMap((one) => one.ids);
    expect(taken).toEqual(ids(0, 10).filter((id) => id !== 'sample-6'));
  });

  it('in the middle of a divided request leaves only the rest to be sent again', async () => {
    const { sink } = await http([{ status: 413 }, TAKEN, { status: 503 }]);
    expect((await sink.send(ten())).retry).toMatchObject({ events: [5, 6, 7, 8, 9] });
  });

  it.each([
    [401, /check the credentials in sink.otlp.headers or sink.otlp.headers_file$/],
    [403, /check the credentials/],
    [404, /check the path of sink.otlp.endpoint, receivers mostly listen on \/v1\/logs$/],
    [301, /check sink.otlp.endpoint and sink.otlp.protocol$/],
    [415, /check sink.otlp.endpoint and sink.otlp.protocol$/],
  ])('%i is for the operator to mend and loses nothing', async (status, advice) => {
    const { sink } = await http([{ status }, { status }]);
    expect(await sink.open()).toEqual({ ok: false, problem: expect.stringMatching(advice), mayPass: false });
    expect((await sink.send(ten())).retry).toMatchObject({
      events: 'rest',
      reason: expect.stringMatching(advice),
    });
    expect(await sink.send(ten())).toEqual(ACKNOWLEDGED);
  });

  it('500 loses nothing', async () => {
    const { sink } = await http([{ status: 500 }]);
    expect((await sink.send(ten())).retry?.reason).toMatch(/answers 500: see its log$/);
  });

  it.each([
    ['a page', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Please log in</html>' }],
    ['no JSON', { status: 200, headers: { 'content-type': 'application/json' }, body: 'ok' }],
    ['JSON that is no object', { status: 200, headers: { 'content-type': 'application/json' }, body: '7' }],
  ])('200 with %s acknowledges nothing', async (_, answer) => {
    const { sink } = await http([answer]);
    expect((await sink.send(ten())).retry?.reason).toMatch(
      /answers with success, but not as a receiver of OTLP does/,
    );
  });

  it.each<[string, HttpScript]>([
    ['200 without a body', { status: 200 }],
    ['200 in words', { status: 200, headers: { 'content-type': 'text/plain' }, body: 'OK' }],
    ['202 with an object', json(202, {})],
    ['202 without a body', { status: 202 }],
    ['204', { status: 204 }],
    ['204 with a type', { status: 204, headers: { 'content-type': 'application/x-protobuf' } }],
    [
      '200 that something in between has compressed',
      {
        status: 200,
        headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
        body: gzipSync('{}'),
      },
    ],
  ])('%s acknowledges at the start and later, once', async (_, taken) => {
    const { sink, receiver } = await http([taken, taken, taken]);
    expect(await sink.open()).toEqual(DONE);
    expect(await sink.send(ten())).toEqual(ACKNOWLEDGED);
    expect(await sink.send(ten())).toEqual(ACKNOWLEDGED);
    expect(receiver.received.map((one) => one.ids)).toEqual([[], ids(0, 10), ids(0, 10)]);
  });

  it('that is no HTTP, too long, or too late, gives the batch back', async () => {
    const endless = { status: 200, body: 'x'.repeat(1_000_000) };
    const { sink } = await http(['garbage', endless, 'hang'], { timeoutMs: 1_000 });
    const reasons = [];
    for (let count = 0; count < 3; count++) reasons.push((await sink.send(ten())).retry?.reason);
    expect(reasons).toEqual([
      expect.stringMatching(/: does not speak HTTP \(Parse Error: .*\)$/),
      expect.stringMatching(/: its answer is longer than 65536 bytes$/),
      expect.stringMatching(/: no answer within 1000 ms$/),
    ]);
    expect(await sink.send(ten())).toEqual(ACKNOWLEDGED);
  });

  it('400 to a request without events is no problem from a receiver of OTLP, and is one from anything else', async () => {
    const { sink } = await http([
      json(400, { code: 3, message: 'no records' }),
      { status: 400, headers: { 'content-type': 'text/plain' }, body: 'HTTP request to an HTTPS server' },
    ]);
    expect(await sink.open()).toEqual(DONE);
    expect(await sink.open()).toEqual({
      ok: false,
      problem: expect.stringMatching(
        /answers 400, and not as a receiver of OTLP does: check sink.otlp.endpoint$/,
      ),
      mayPass: false,
    });
  });
});

describe('a batch above 2 MiB', () => {
  it('goes in several requests, in order', async () => {
    const { sink, receiver } = await http([]);
    expect(await sink.send(batchOf(sampleEvents(6_000)))).toEqual(ACKNOWLEDGED);
    expect(receiver.received.length).toBe(3);
    expect(receiver.received.flatMap((one) => one.ids)).toEqual(ids(0, 6_000));
  });
});

describe('TLS', () => {
  it('names the host as it was configured', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ktc-otlp-answers-'));
    cleanUp.push(async () => rmSync(directory, { recursive: true }));
    const { authority, broker } = makeCertificates(directory);
    const tls = { cert: readFileSync(broker.certificate, 'utf8'), key: readFileSync(broker.key, 'utf8') };
    const receiver = await startHttpReceiver({ answer: () => TAKEN, tls });
    const files = { caFile: authority, certificateFile: null, keyFile: null };
    const endpoint = receiver.endpoint.replace('127.0.0.1', 'localhost');
    const { sink } = connect(receiver, 'http/json', { endpoint, tls: files });
    // The certificate is for the address alone.
    expect(problemOf(await sink.open())).toMatch(/Hostname\/IP does not match certificate's altnames/);
  });
});

describe('a gRPC answer', () => {
  it('OK acknowledges, over one connection', async () => {
    const { sink, receiver } = await grpc([], { compression: 'gzip' });
    expect(await sink.open()).toEqual(DONE);
    expect(await Promise.all([ten(), ten(), ten()].map(sink.send))).toEqual(Array(3).fill(ACKNOWLEDGED));
    expect(new Set(receiver.received.map(({ clientPort }) => clientPort)).size).toBe(1);
    expect(receiver.received[1]).toMatchObject({
      ids: ids(0, 10),
      headers: { 'x-tenant': 'net', 'user-agent': 'ktc-agent/1.2.3' },
    });
  });

  it.each([
    [code.CANCELLED, 'CANCELLED'],
    [code.ABORTED, 'ABORTED'],
    [code.OUT_OF_RANGE, 'OUT_OF_RANGE'],
    [code.UNAVAILABLE, 'UNAVAILABLE'],
    [code.DATA_LOSS, 'DATA_LOSS'],
    [code.INTERNAL, 'INTERNAL'],
  ])('%i gives the batch back', async (answered, name) => {
    const { sink, receiver } = await grpc([{ code: answered, details: '100 % über' }]);
    expect(await sink.send(ten())).toEqual({
      refused: [],
      retry: {
        events: 'rest',
        afterMs: null,
        reason: `OTLP receiver ${receiver.endpoint} answers ${name}, "100 % über"`,
      },
    });
    expect(await sink.send(ten())).toEqual(ACKNOWLEDGED);
  });

  it.each([
    ['UNAVAILABLE', { seconds: 3, nanos: 250_000_001 }, 3_251],
    ['RESOURCE_EXHAUSTED', { seconds: 2, nanos: 0 }, 2_000],
    ['RESOURCE_EXHAUSTED', null, null],
  ] as const)('%s with RetryInfo %o gives the batch back for %s ms', async (name, delay, afterMs) => {
    const status = rpcStatus(code[name], 'busy', [retryInfo(delay)]);
    const { sink } = await grpc([{ code: code[name], details: 'busy', status }]);
    expect((await sink.send(ten())).retry).toMatchObject({ events: 'rest', afterMs });
  });

  it('from a receiver that ends its connections again and again comes once for every request', async () => {
    const server = createHttp2Server();
    const taken: string[] = [];
    server.on('stream', async (stream: ServerHttp2Stream) => {
      const request = Buffer.concat(await stream.toArray());
      taken.push(createHash('sha256').update(request).digest('hex'));
      acceptCall(stream);
      // GOAWAY: calls that it has not seen yet are refused, the others are finished.
      if (taken.length % 17 === 0) stream.session?.close();
    });
    server.on('sessionError', () => {});
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const closed = { endpoint: `http://127.0.0.1:${port}`, received: [], closeIdle() {} };
    const { sink } = connect({ ...closed, close: async () => void server.close() }, 'grpc', {});
    for (let round = 0; round < 25; round++) {
      const batches = [1, 2, 3, 4, 5, 6, 7, 8].map((each) => batchOf(sampleEvents(2, `${round}-${each}`)));
      expect(await Promise.all(batches.map(sink.send))).toEqual(batches.map(() => ACKNOWLEDGED));
    }
    expect(new Set(taken).size).toBe(200);
    expect(taken).toHaveLength(200);
  });

  it('RESOURCE_EXHAUSTED without RetryInfo is for good', async () => {
    const { sink } = await grpc([{ code: code.RESOURCE_EXHAUSTED, details: 'no quota' }]);
    const { refused, retry } = await sink.send(ten());
    expect(retry).toBeNull();
    expect(refused).toHaveLength(10);
    expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(['resource_exhausted']));
  });

  it('INVALID_ARGUMENT refuses the events for good', async () => {
    const { sink, receiver } = await grpc([{ code: code.INVALID_ARGUMENT, details: 'too old' }]);
    const { refused, retry } = await sink.send(ten());
    expect(retry).toBeNull();
    expect(refused).toEqual(ids(0, 10).map((_, index) => ({ index, reason: 'bad_request' })));
    expect(receiver.received).toHaveLength(1);
  });

  it.each([
    ['UNAUTHENTICATED', /check the credentials/],
    ['PERMISSION_DENIED', /check the credentials/],
    ['UNIMPLEMENTED', /check that sink.otlp.endpoint is the port for OTLP over gRPC$/],
  ] as const)('%s is for the operator to mend and loses nothing', async (name, advice) => {
    const { sink } = await grpc([{ code: code[name] }, { code: code[name] }]);
    expect(await sink.open()).toEqual({ ok: false, problem: expect.stringMatching(advice), mayPass: false });
    expect((await sink.send(ten())).retry).toMatchObject({
      events: 'rest',
      reason: expect.stringMatching(advice),
    });
  });

  it('of partial success counts what it refused', async () => {
    const { sink } = await grpc([{ message: partialSuccess(2, 'old') }]);
    expect(await sink.send(ten())).toMatchObject({ refusedUnnamed: { count: 2, reason: 'partial_success' } });
  });

  it('OK with something else acknowledges nothing', async () => {
    const { sink } = await grpc([{ message: Buffer.from('<html>') }]);
    expect((await sink.send(ten())).retry?.reason).toMatch(
      /answers with success, but not as a receiver of OTLP does/,
    );
  });

  it('that does not come in time gives the batch back, and the next goes over a new connection', async () => {
    const { sink, receiver } = await grpc([{ message: Buffer.alloc(0) }, 'hang'], { timeoutMs: 1_000 });
    expect(await sink.send(ten())).toEqual(ACKNOWLEDGED);
    const began = performance.now();
    expect((await sink.send(ten())).retry?.reason).toMatch(/: no answer within 1000 ms$/);
    expect(performance.now() - began).toBeGreaterThanOrEqual(995);
    expect(await sink.send(ten())).toEqual(ACKNOWLEDGED);
    const [first, second, third] = receiver.received.map(({ clientPort }) => clientPort);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
  });

  it('that does not come in time gives all that shares the connection back for that reason', async () => {
    const { sink } = await grpc(['hang', 'hang'], { timeoutMs: 1_000 });
    const results = await Promise.all([ten(), ten()].map(sink.send));
    const late = expect.stringMatching(/: no answer within 1000 ms$/);
    expect(results.map(({ retry }) => retry?.reason)).toEqual([late, late]);
  });

  it('of a server without gRPC is explained', async () => {
    const receiver = await startHttpReceiver({ answer: () => TAKEN });
    const { sink } = connect(receiver, 'grpc', {});
    expect(problemOf(await sink.open())).toBe(`OTLP receiver ${receiver.endpoint}: does not speak gRPC`);
  });
});

describe('closing', () => {
  it.each(['http/json', 'grpc'] as const)(
    'waits for an answer that comes soon, over %s',
    async (protocol) => {
      const receiver =
        protocol === 'grpc'
          ? await startGrpcReceiver(() => ({ message: Buffer.alloc(0) }))
          : await startHttpReceiver({ answer: () => TAKEN });
      const { sink } = connect(receiver, protocol, {});
      const sending = sink.send(ten());
      await sink.close();
      expect(await sending).toEqual(ACKNOWLEDGED);
    },
  );

  it.each(['http/json', 'grpc'] as const)(
    'ends what is under way over %s, and takes no more',
    async (protocol) => {
      const receiver =
        protocol === 'grpc'
          ? await startGrpcReceiver(() => 'hang')
          : await startHttpReceiver({ answer: () => 'hang' });
      const { sink } = connect(receiver, protocol, { timeoutMs: 60_000 });
      const sending = sink.send(ten());
      await until(() => receiver.received.length === 1, 'the request to arrive');
      await sink.close();
      expect((await sending).retry).toMatchObject({ events: 'rest' });
      await until(() => sink.sockets?.().length === 0, 'its sockets to close');
      expect((await sink.send(ten())).retry?.reason).toBe('the OTLP sink is closed');
      await sink.close();
    },
  );
});
