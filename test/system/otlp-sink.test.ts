/** The OTLP sink against a real OpenTelemetry Collector, whose file is the account. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { imbalances } from '../../src/ledger/ledger.ts';
import { DONE } from '../../src/shared/result.ts';
import type { Batch } from '../../src/sink/batch.ts';
import { createOtlpSink, type OtlpProtocol, type OtlpSinkOptions } from '../../src/sink/otlp/otlp.ts';
import { ACKNOWLEDGED, type Sink } from '../../src/sink/sink.ts';
import { startAgent, whyNoAgent } from '../support/agent.ts';
import { batchOf, sampleEvents } from '../support/batch.ts';
import { makeCertificates, makeExpiredCertificate, type TestCertificates } from '../support/certificates.ts';
import {
  type CollectedRecord,
  type Collector,
  type CollectorOptions,
  startCollector,
} from '../support/collector.ts';
import { whyNoCollector } from '../support/collector-process.ts';
import { problemOf } from '../support/problem-of.ts';
import { silentLog } from '../support/silent-log.ts';
import { runSteady } from '../support/traffic/traffic.ts';
import { until } from '../support/wait.ts';

const missing = whyNoCollector();
if (missing) console.warn(`skipped: OTLP sink against a real collector: ${missing}`);

const PROTOCOLS = ['http/protobuf', 'http/json', 'grpc'] as const;
/** What a collector that hangs is given; one that does not needs far less, on a busy machine too. */
const ANSWER_MS = 2_000;
const NO_TLS = { caFile: null, certificateFile: null, keyFile: null };

/** Another one each time: a collector keeps what an earlier try has sent. */
let prefixes = 0;
const prefixOf = (what: string, protocol: OtlpProtocol) => `${what}${prefixes++}${protocol.replace('/', '')}`;

const uidOf = ({ attributes }: CollectedRecord) => String(attributes['log.record.uid']);
const idsOf = (batches: readonly Batch[]) =>
  batches.flatMap(({ bytes }) => [...bytes.toString().matchAll(/"event_id":"([^"]*)"/g)].map(([, id]) => id));

function batchesOf(prefix: string, count: number, size: number): Batch[] {
  const events = sampleEvents(count * size, prefix);
  return Array.from({ length: count }, (_, index) => batchOf(events.slice(index * size, (index + 1) * size)));
}

describe.skipIf(missing)('the OTLP sink', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-otlp-sink-'));
  const sinks: Sink[] = [];
  const collectors: Collector[] = [];
  let collector: Collector;
  let certificates: TestCertificates;

  const start = async (options: CollectorOptions = {}) => {
    const started = await startCollector(options);
    collectors.push(started);
    return started;
  };
  beforeAll(async () => {
    certificates = makeCertificates(directory);
    collector = await start();
  });
  afterEach(async () => {
    await Promise.all(sinks.splice(0).map((sink) => sink.close()));
    await collector.restore();
  });
  afterAll(async () => {
    await Promise.all(collectors.map((each) => each.remove()));
    rmSync(directory, { recursive: true });
  });

  const create = (target: Collector, protocol: OtlpProtocol, options: Partial<OtlpSinkOptions> = {}) => {
    const sink = createOtlpSink({
      protocol,
      endpoint: protocol === 'grpc' ? target.grpcEndpoint : target.httpEndpoint,
      headers: {},
      compression: 'gzip',
      timeoutMs: 30_000,
      tls: NO_TLS,
      version: '1.2.3',
      log: silentLog,
      ...options,
    });
    sinks.push(sink);
    return sink;
  };

  it.each(
    PROTOCOLS.flatMap((protocol) => (['gzip', 'none'] as const).map((each) => [protocol, each] as const)),
  )('delivers every event once over %s, compression %s', async (protocol, compression) => {
    const prefix = prefixOf(compression, protocol);
    const batches = batchesOf(prefix, 8, 150);
    const sink = create(collector, protocol, { compression });
    expect(await sink.open()).toEqual(DONE);
    const sendingMs = Date.now();
    expect(await Promise.all(batches.map(sink.send))).toEqual(batches.map(() => ACKNOWLEDGED));
    const sentMs = Date.now();
    const port = Number(new URL(protocol === 'grpc' ? collector.grpcEndpoint : collector.httpEndpoint).port);
    expect(sink.sockets?.()).toContainEqual({ localPort: expect.any(Number), remotePort: port });

    const records = collector.records().filter((record) => uidOf(record).startsWith(`${prefix}-`));
    expect(records.map(uidOf).sort()).toEqual(idsOf(batches).sort());
    const record = records.find((each) => uidOf(each) === `${prefix}-7`);
    expect(record).toMatchObject({
      resource: {
        'service.name': 'ktc-agent',
        'service.version': '1.2.3',
        'host.name': 'db-17.example.net',
        'host.id': '3f2a6c1d9e8b47f0a5c4d3e2f1a0b9c8',
        'os.type': 'linux',
        'os.version': '3.10.0-862.el7.x86_64',
        'ktc.boot_id': '7b1c0e9a-5d2f-4b8e-9c3a-1f6e8d7c5b4a',
        'ktc.label.data_center': 'fra1',
        'ktc.label.rack': 'r07',
      },
      scope: { name: 'ktc-agent', version: '1.2.3', attributes: { 'ktc.schema_version': 1n } },
      eventName: 'ktc.tcp_retransmit',
      // 2026-11-24T02:13:07.123456789Z
      timeUnixNano: '1795486387123456789',
      severityNumber: 13,
      severityText: 'WARN',
      attributes: {
        'process.pid': 4007n,
        'ktc.comm': 'postgres',
        'network.type': 'ipv4',
        'network.transport': 'tcp',
        'network.local.address': '10.17.4.9',
        'network.local.port': 5432n,
        'network.peer.address': '10.17.7.49',
        'network.peer.port': 32775n,
        'ktc.sequence': 1_000_007n,
        'ktc.retransmit_kind': 'rto',
      },
    });
    expect(record?.attributes).not.toHaveProperty('ktc.slow_start_threshold');
    const observedMs = Number(BigInt(record?.observedTimeUnixNano ?? 0) / 1_000_000n);
    expect(observedMs).toBeGreaterThanOrEqual(sendingMs);
    expect(observedMs).toBeLessThanOrEqual(sentMs);
  });

  /** Sends each batch until it is acknowledged, as the pipeline does; calls back after each. */
  async function deliver(sink: Sink, batches: readonly Batch[], onDone: (done: number) => Promise<void>) {
    const reasons: string[] = [];
    for (const [index, batch] of batches.entries()) {
      await until(async () => {
        const { refused, retry } = await sink.send(batch);
        expect(refused).toEqual([]);
        if (retry !== null) reasons.push(retry.reason);
        return retry === null;
      }, `batch ${index} to be acknowledged`);
      await onDone(index + 1);
    }
    return reasons;
  }

  it.each(PROTOCOLS)(
    'loses nothing over %s when the collector is killed and comes back',
    async (protocol) => {
      const prefix = prefixOf('killed', protocol);
      const batches = batchesOf(prefix, 40, 50);
      const sink = create(collector, protocol);
      expect(await sink.open()).toEqual(DONE);
      let restarted: Promise<void> | null = null;
      const reasons = await deliver(sink, batches, async (done) => {
        if (done !== 15) return;
        await collector.kill();
        restarted = sink.send(batchOf(sampleEvents(1, `${prefix}lost`))).then(({ retry }) => {
          expect(retry).toMatchObject({ events: 'rest', afterMs: null });
          return collector.start();
        });
      });
      await restarted;
      expect(reasons.length).toBeGreaterThan(0);
      expect(new Set(reasons)).toEqual(
        new Set([expect.stringMatching(/^OTLP receiver http:\/\/127\.0\.0\.1:\d+(\/v1\/logs)?: /)]),
      );
      const records = collector.records().filter((record) => uidOf(record).startsWith(`${prefix}-`));
      expect([...new Set(records.map(uidOf))].sort()).toEqual(idsOf(batches).sort());
      // What was sent twice differs in nothing but the time of sending.
      const texts = records.map(({ observedTimeUnixNano: _, ...record }) =>
        JSON.stringify(record, (_key, value) => (typeof value === 'bigint' ? `${value}` : value)),
      );
      expect(new Set(texts).size).toBe(idsOf(batches).length);
    },
  );

  it.each(PROTOCOLS)(
    'gives a batch back when the collector hangs, over %s, and connects anew',
    async (protocol) => {
      const sink = create(collector, protocol, { timeoutMs: ANSWER_MS });
      const prefix = prefixOf('hanging', protocol);
      const [first, second] = batchesOf(prefix, 2, 20) as [Batch, Batch];
      expect(await sink.send(first)).toEqual(ACKNOWLEDGED);
      const before = sink.sockets?.();
      await collector.pause();
      const began = performance.now();
      // Timers of one event loop: a busy machine delays both.
      const late = delay(2 * ANSWER_MS, null);
      const given = await Promise.race([sink.send(second), late]);
      const waited = performance.now() - began;
      collector.resume();
      expect(given?.retry?.reason).toMatch(/: no answer within 2000 ms$/);
      expect(waited).toBeGreaterThanOrEqual(ANSWER_MS - 5);
      expect(await sink.send(second)).toEqual(ACKNOWLEDGED);
      expect(sink.sockets?.()).toHaveLength(1);
      expect(sink.sockets?.()).not.toEqual(before);
    },
  );

  it('splits what the collector finds too large, and refuses only the event that is', async () => {
    const narrow = await start({ maxMessageMiB: 1 });
    const sink = create(narrow, 'grpc', { compression: 'none' });
    const events: object[] = sampleEvents(2_400, 'large');
    expect(await sink.send(batchOf(events))).toEqual(ACKNOWLEDGED);
    expect(narrow.records()).toHaveLength(2_400);
    events[700] = { ...events[700], event_id: 'giant-0', comm: 'x'.repeat(1_100_000) };
    expect(await sink.send(batchOf(events.slice(600, 800)))).toEqual({
      refused: [{ index: 100, reason: 'message_too_large' }],
      retry: null,
    });
    expect(narrow.records()).toHaveLength(2_400 + 199);
  });

  it('sends the headers it was given, and explains a refused login', async () => {
    const guarded = await start({ token: 'right' });
    for (const [index, protocol] of PROTOCOLS.entries()) {
      const right = create(guarded, protocol, { headers: { authorization: 'Bearer right' } });
      expect(await right.open()).toEqual(DONE);
      expect(await right.send(batchOf(sampleEvents(5, `guarded${protocol.replace('/', '')}`)))).toEqual(
        ACKNOWLEDGED,
      );
      const wrong = create(guarded, protocol, { headers: { authorization: 'Bearer wrong' } });
      const problem = await wrong.open();
      expect(problem).toMatchObject({ ok: false, mayPass: false });
      expect(problemOf(problem)).toMatch(
        /^OTLP receiver http\S+ answers (401|UNAUTHENTICATED), ".*": check the credentials in sink.otlp.headers or sink.otlp.headers_file$/,
      );
      expect(problemOf(problem)).not.toContain('wrong');
      expect((await wrong.send(batchOf(sampleEvents(5, 'refused')))).retry).toMatchObject({ events: 'rest' });
      expect(guarded.records()).toHaveLength(5 * (index + 1));
    }
  });

  it('speaks TLS with a certificate of its own, read anew for every connection', async () => {
    const { authority, broker, client } = certificates;
    const secured = await start({ tls: { ...broker, clientAuthority: authority } });
    for (const protocol of PROTOCOLS) {
      const prefix = prefixOf('secured', protocol);
      const renewed = {
        certificate: join(directory, `${prefix}.pem`),
        key: join(directory, `${prefix}.key`),
      };
      const tls = { caFile: authority, certificateFile: renewed.certificate, keyFile: renewed.key };
      const sink = create(secured, protocol, { tls });
      const absent = await sink.open();
      expect(absent).toMatchObject({ ok: false, mayPass: false });
      expect(problemOf(absent)).toContain(`ENOENT: no such file or directory, open '${renewed.certificate}'`);
      copyFileSync(client.certificate, renewed.certificate);
      copyFileSync(client.key, renewed.key);
      expect(await sink.open()).toEqual(DONE);
      expect(await sink.send(batchOf(sampleEvents(7, prefix)))).toEqual(ACKNOWLEDGED);
      expect(secured.records().filter((record) => uidOf(record).startsWith(prefix))).toHaveLength(7);

      const advice = ': check sink.otlp.tls, and the certificates on both ends';
      const stranger = await create(secured, protocol, { tls: { ...tls, caFile: null } }).open();
      expect(stranger).toMatchObject({ ok: false, mayPass: false });
      expect(problemOf(stranger)).toMatch(new RegExp(`: unable to verify the first certificate${advice}$`));
      const nameless = { caFile: authority, certificateFile: null, keyFile: null };
      const anonymous = await create(secured, protocol, { tls: nameless }).open();
      expect(problemOf(anonymous)).toMatch(new RegExp(`certificate required${advice}$`));
    }
  });

  it('sends nothing to a collector whose certificate has expired, and everything once it is renewed', async () => {
    const { authority, broker } = certificates;
    const served = join(directory, 'served.pem');
    copyFileSync(makeExpiredCertificate(directory, certificates), served);
    const expired = await start({ tls: { certificate: served, key: broker.key } });
    const batches = new Map(
      PROTOCOLS.map((protocol) => [protocol, batchOf(sampleEvents(5, `expired${protocol.length}`))]),
    );
    const tls = { ...NO_TLS, caFile: authority };
    const makeSinks = PROTOCOLS.map((protocol) => [protocol, create(expired, protocol, { tls })] as const);
    for (const [protocol, sink] of makeSinks) {
      const { retry } = await sink.send(batches.get(protocol) ?? batchOf([]));
      expect(retry?.reason).toMatch(
        /: certificate has expired: check sink.otlp.tls, and the certificates on both ends$/,
      );
    }
    expect(expired.records()).toEqual([]);
    await expired.stop();
    copyFileSync(broker.certificate, served);
    await expired.start();
    for (const [protocol, sink] of makeSinks) {
      expect(await sink.send(batches.get(protocol) ?? batchOf([]))).toEqual(ACKNOWLEDGED);
    }
    expect(expired.records().map(uidOf).sort()).toEqual(idsOf([...batches.values()]).sort());
  });

  const noAgent = whyNoAgent();
  if (noAgent) console.warn(`skipped: the agent with an OTLP sink: ${noAgent}`);

  it.skipIf(noAgent).each(PROTOCOLS)(
    'brings what the kernel recorded to the collector over %s',
    async (protocol) => {
      const target = await start();
      const endpoint = protocol === 'grpc' ? target.grpcEndpoint : target.httpEndpoint;
      const agent = await startAgent({ config: { sink: { otlp: { enabled: true, protocol, endpoint } } } });
      try {
        const traffic = await runSteady({ perSecond: 100, seconds: 2 });
        expect(await agent.stop()).toBe(0);
        const ledger = agent.finalLedger();
        expect(imbalances(ledger)).toEqual([]);
        expect(ledger.sinks['otlp']).toMatchObject({ delivered: ledger.emitted, rejected: {}, dropped: {} });
        const records = target.records();
        expect(records).toHaveLength(ledger.emitted);
        expect(new Set(records.map(uidOf)).size).toBe(ledger.emitted);
        const lives = records.filter(
          ({ eventName, attributes }) => eventName === 'ktc.tcp_life' && attributes['ktc.comm'] === 'steady',
        );
        // Both ends of each; others may generate traffic at the same time.
        expect(lives.length).toBeGreaterThanOrEqual(2 * traffic.connections);
        // The agent's own end of its connection to the collector is never traced.
        const port = BigInt(new URL(endpoint).port);
        expect(records.filter(({ attributes }) => attributes['network.peer.port'] === port)).toEqual([]);
        expect(ledger.filtered['own_traffic']).toBeGreaterThan(0);
      } finally {
        await agent.stop('SIGKILL');
      }
    },
  );
});
