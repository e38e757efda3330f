/** The fault matrix, OTLP: the account is a collector's file, or what a receiver that answers as told has taken. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status as code } from '@grpc/grpc-js';
import { afterAll, describe, it } from 'vitest';
import { whyNoAgent } from '../../support/agent.ts';
import { makeCertificates, makeExpiredCertificate } from '../../support/certificates.ts';
import { type Collector, startCollector } from '../../support/collector.ts';
import { whyNoCollector } from '../../support/collector-process.ts';
import { type OpenAccount, openAccount } from '../../support/event-account.ts';
import {
  type GrpcScript,
  type HttpScript,
  startGrpcReceiver,
  startHttpReceiver,
} from '../../support/otlp-receiver.ts';
import { partialSuccess, retryInfo, rpcStatus } from '../../support/rpc-status.ts';
import { until } from '../../support/wait.ts';
import { expectExact, type Load, underLoad } from './load.ts';
import { FULL } from './row.ts';

const missing = whyNoAgent() ?? whyNoCollector();
if (missing) console.warn(`skipped: faults of OTLP: ${missing}`);

const fullOnly = it.skipIf(!FULL);

describe.skipIf(missing)('nothing is lost when the collector', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-faults-otlp-'));
  const certificates = makeCertificates(directory);
  const certificate = join(directory, 'collector.pem');
  afterAll(() => rmSync(directory, { recursive: true }));

  const row = async (
    name: string,
    protocol: string,
    fault: (load: Load, collector: Collector) => Promise<void>,
  ) => {
    copyFileSync(certificates.broker.certificate, certificate);
    const collector = await startCollector({ tls: { certificate, key: certificates.broker.key } });
    try {
      const endpoint = protocol === 'grpc' ? collector.grpcEndpoint : collector.httpEndpoint;
      const tls = { ca_file: certificates.authority };
      const sink = { otlp: { enabled: true, protocol, endpoint, tls, timeout_ms: 2_000 } };
      const ending = await underLoad({ sink }, (load) => fault(load, collector));
      expectExact(name, 'otlp', await collector.account(), ending);
    } finally {
      await collector.remove();
    }
  };

  it.each(FULL ? ['http/protobuf', 'http/json', 'grpc'] : ['http/protobuf'])(
    'is killed -9 and comes back, over %s',
    (protocol) =>
      row(`collector killed -9, back after 5 s, ${protocol}`, protocol, async (load, collector) => {
        await collector.kill();
        await load.problem('otlp', /ECONNREFUSED/);
        await until(
          async () => (await load.ledgerOf('otlp')).spooled > 10_000,
          'events to wait in the spool',
        );
        await collector.start();
      }),
  );

  fullOnly.each(['http/protobuf', 'grpc'])('accepts and never answers, over %s', (protocol) =>
    row(`collector hangs (SIGSTOP), ${protocol}`, protocol, async (load, collector) => {
      await collector.pause();
      await load.problem('otlp', /no answer within 2000 ms/);
      await load.standstill('otlp');
      collector.resume();
    }),
  );

  it('has a certificate that has expired', () =>
    row("collector's certificate expired", 'http/protobuf', async (load, collector) => {
      await collector.kill();
      copyFileSync(makeExpiredCertificate(directory, certificates), certificate);
      await collector.start();
      await load.problem('otlp', /certificate has expired/);
      await load.standstill('otlp');
      await collector.kill();
      copyFileSync(certificates.broker.certificate, certificate);
      await collector.start();
    }));
});

/** How a receiver answers the next requests. */
type Phase<Script> = { readonly requests: number; readonly answer: (ids: readonly string[]) => Script };

describe.skipIf(missing)('nothing is lost when the receiver answers', () => {
  /** Of a request that is taken in part. */
  const REFUSED = 7;
  const take = (ids: readonly string[], account: OpenAccount) => {
    for (const id of ids) account.add(id, '');
  };

  /** Takes everything, but for as many requests as it is told; the events it has taken are its account. */
  const createScript = <Script>(taken: Script, account: OpenAccount) => {
    let phase: Phase<Script> | null = null;
    let left = 0;
    return {
      begin(next: Phase<Script>) {
        phase = next;
        left = next.requests;
      },
      isOver: () => left === 0,
      answer(_: number, ids: readonly string[]): Script {
        if (left > 0 && phase !== null && ids.length > 0) {
          left--;
          return phase.answer(ids);
        }
        take(ids, account);
        return taken;
      },
    };
  };

  it.each<[string, number, (ids: readonly string[], account: OpenAccount) => HttpScript]>([
    ['429 with Retry-After', 3, () => ({ status: 429, headers: { 'retry-after': '1' } })],
    ['503', 6, () => ({ status: 503 })],
    [
      'partial success',
      3,
      (ids, account) => {
        take(ids.slice(REFUSED), account);
        return {
          status: 200,
          headers: { 'content-type': 'application/x-protobuf' },
          body: partialSuccess(Math.min(REFUSED, ids.length), 'too old'),
        };
      },
    ],
    ['400', 3, () => ({ status: 400 })],
    ['garbage', 3, () => 'garbage'],
    [
      'an HTML page',
      3,
      () => ({ status: 200, headers: { 'content-type': 'text/html' }, body: '<html></html>' }),
    ],
    ['nothing', 2, () => 'hang'],
    ['a reset', 3, () => 'reset'],
    [
      'a reset, after taking the events',
      3,
      (ids, account) => {
        take(ids, account);
        return 'reset';
      },
    ],
  ])('%s', async (name, requests, answer) => {
    const account = openAccount();
    const script = createScript<HttpScript>({ status: 200 }, account);
    const receiver = await startHttpReceiver({ answer: script.answer });
    const sink = { otlp: { enabled: true, endpoint: receiver.endpoint, timeout_ms: 1_000 } };
    try {
      const ending = await underLoad({ sink }, async () => {
        script.begin({ requests, answer: (ids) => answer(ids, account) });
        await until(script.isOver, `${requests} requests to be answered so`);
      });
      expectExact(`receiver answers ${requests} requests: ${name}`, 'otlp', account, ending);
    } finally {
      await receiver.close();
    }
  });

  const unavailable = (name: 'UNAVAILABLE' | 'RESOURCE_EXHAUSTED'): GrpcScript => ({
    code: code[name],
    details: 'busy',
    status: rpcStatus(code[name], 'busy', [retryInfo({ seconds: 1, nanos: 0 })]),
  });
  fullOnly.each<[string, number, (ids: readonly string[], account: OpenAccount) => GrpcScript]>([
    ['UNAVAILABLE with RetryInfo', 3, () => unavailable('UNAVAILABLE')],
    ['RESOURCE_EXHAUSTED with RetryInfo', 3, () => unavailable('RESOURCE_EXHAUSTED')],
    [
      'partial success',
      3,
      (ids, account) => {
        take(ids.slice(REFUSED), account);
        return { message: partialSuccess(Math.min(REFUSED, ids.length), 'too old') };
      },
    ],
    ['INVALID_ARGUMENT', 3, () => ({ code: code.INVALID_ARGUMENT })],
    ['garbage', 3, () => ({ message: Buffer.from('<html>') })],
    ['nothing', 2, () => 'hang'],
  ])('over gRPC %s', async (name, requests, answer) => {
    const account = openAccount();
    const script = createScript<GrpcScript>({ message: Buffer.alloc(0) }, account);
    const receiver = await startGrpcReceiver(script.answer);
    const { endpoint } = receiver;
    const sink = {
      otlp: { enabled: true, protocol: 'grpc', endpoint, timeout_ms: 1_000, compression: 'none' },
    };
    try {
      const ending = await underLoad({ sink }, async () => {
        script.begin({ requests, answer: (ids) => answer(ids, account) });
        await until(script.isOver, `${requests} requests to be answered so`);
      });
      expectExact(`gRPC receiver answers ${requests} requests: ${name}`, 'otlp', account, ending);
    } finally {
      await receiver.close();
    }
  });
});
