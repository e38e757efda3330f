/** TLS, logins and access lists of a real broker: what works, and how each failure is explained. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createKafkaSink, type KafkaSinkOptions } from '../../src/sink/kafka/kafka.ts';
import { ACKNOWLEDGED, type Sink } from '../../src/sink/sink.ts';
import { batchOf, sampleEvents } from '../support/batch.ts';
import { makeCertificates, type TestCertificates } from '../support/certificates.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { sinkOptions } from '../support/kafka-sink.ts';
import { problemOf } from '../support/problem-of.ts';
import { until } from '../support/wait.ts';

const missing = whyNoKafka();
if (missing) console.warn(`skipped: security of the Kafka sink: ${missing}`);

const TLS_USER = 'CN=ktc-test-client';

describe.skipIf(missing)('the Kafka sink and a broker that', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-kafka-security-'));
  const sinks: Sink[] = [];
  let broker: Broker;
  let certificates: TestCertificates;

  beforeAll(async () => {
    certificates = makeCertificates(directory);
    broker = await startBroker({
      saslUsers: { agent: 'right', limited: 'right' },
      tlsFiles: { keyStore: certificates.broker.both, trustStore: certificates.authority },
      properties: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': ['ANONYMOUS', 'agent', TLS_USER].map((name) => `User:${name}`).join(';'),
      },
    });
  });
  afterEach(async () => {
    await Promise.all(sinks.splice(0).map((sink) => sink.close()));
  });
  afterAll(async () => {
    await broker?.stop();
    rmSync(directory, { recursive: true });
  });

  const create = (topic: string, options: Partial<KafkaSinkOptions>) => {
    const sink = createKafkaSink(sinkOptions({ brokers: [broker.address], topic, ...options }));
    sinks.push(sink);
    return sink;
  };

  const delivers = async (topic: string, options: Partial<KafkaSinkOptions>) => {
    await broker.createTopic(topic, 1);
    const batch = batchOf(sampleEvents(3, topic));
    expect(await create(topic, options).send(batch)).toEqual(ACKNOWLEDGED);
    expect((await broker.consume(topic)).join('\n')).toBe(batch.bytes.toString().trimEnd());
  };

  describe('asks for a login', () => {
    const sasl = (mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512', password: string) => ({
      brokers: [broker.saslAddress ?? ''],
      sasl: { mechanism, username: 'agent', password },
    });

    it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('takes %s', (mechanism) =>
      delivers(`login-${mechanism}`, sasl(mechanism, 'right')),
    );

    it.each([
      ['plain', 'Authentication failed: Invalid username or password'],
      [
        'scram-sha-512',
        'Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512',
      ],
    ] as const)('refuses a wrong password by %s, which is not shown', async (mechanism, answer) => {
      const problem = await create('login-plain', sasl(mechanism, 'wrong')).open();
      expect(problem).toEqual({
        ok: false,
        problem:
          `Kafka at ${broker.saslAddress} refused the login of "agent" by SASL ${mechanism}: ` +
          `${answer}; check mechanism, user name and password`,
        mayPass: false,
      });
    });
  });

  describe('encrypts', () => {
    const tls = (files: Partial<NonNullable<KafkaSinkOptions['tls']>> = {}, host = '127.0.0.1') => {
      const { certificate: certificateFile, key: keyFile } = certificates.client;
      return {
        brokers: [`${host}:${broker.tlsAddress?.split(':')[1]}`],
        tls: { caFile: certificates.authority, certificateFile, keyFile, ...files },
      };
    };
    const open = async (options: Partial<KafkaSinkOptions>) => create('encrypted', options).open();
    const at = () => `Kafka at ${broker.tlsAddress}: `;

    it('takes a certificate that its authority has signed', () => delivers('encrypted', tls()));

    it('is not trusted unless its authority is named', async () => {
      expect(await open(tls({ caFile: null }))).toEqual({
        ok: false,
        problem:
          `${at()}unable to verify the first certificate; the file sink.kafka.tls.ca_file must hold the authority ` +
          "that signed the broker's certificate",
        mayPass: false,
      });
    });

    it('is not taken for another host', async () => {
      const problem = await open(tls({}, 'localhost'));
      expect(problem).toMatchObject({ ok: false, mayPass: false });
      expect(problemOf(problem)).toMatch(
        /^Kafka at localhost:\d+: Hostname\/IP does not match certificate's altnames: .*; name the broker as its certificate does, in sink\.kafka\.brokers and in its own advertised\.listeners$/,
      );
    });

    it('wants a certificate of the agent', async () => {
      const problem = await open(tls({ certificateFile: null, keyFile: null }));
      expect(problem).toMatchObject({ mayPass: false });
      expect(problemOf(problem)).toMatch(
        /the broker does not accept the certificate of this client: set sink\.kafka\.tls\.certificate_file and key_file/,
      );
    });

    it('says which file cannot be read', async () => {
      expect(await open(tls({ keyFile: '/nowhere/key.pem' }))).toEqual({
        ok: false,
        problem: `Kafka at ${broker.tlsAddress}: ENOENT: no such file or directory, open '/nowhere/key.pem'`,
        mayPass: false,
      });
    });

    it('is not found behind a port without TLS', async () => {
      expect(await open({ ...tls(), brokers: [broker.address] })).toEqual({
        ok: false,
        problem:
          `Kafka at ${broker.address}: Client network socket disconnected before secure TLS connection was ` +
          'established; does the broker speak TLS on this port?',
        mayPass: true,
      });
    });
  });

  describe('is talked to as it does not want', () => {
    const wanted =
      'Closed connection; a broker ends connections so where its port wants TLS (sink.kafka.tls.enabled) or a login ' +
      '(sink.kafka.sasl)';

    it.each([
      ['TLS', () => broker.tlsAddress],
      ['a login', () => broker.saslAddress],
    ])('says that its port may want %s', async (_, address) => {
      const problem = await create('unwanted', { brokers: [address() ?? ''] }).open();
      expect(problem).toEqual({ ok: false, problem: `Kafka at ${address()}: ${wanted}`, mayPass: true });
    });

    it('says that its port may take no logins, and nothing of the password', async () => {
      const sasl = { mechanism: 'plain' as const, username: 'agent', password: 'right' };
      const problem = problemOf(await create('unwanted', { sasl }).open());
      expect(problem).toMatch(
        /the login of user "agent" was interrupted: .*; does the broker take logins on this port/,
      );
    });
  });

  describe('has access lists', () => {
    const limited = () => ({
      brokers: [broker.saslAddress ?? ''],
      sasl: { mechanism: 'plain' as const, username: 'limited', password: 'right' },
    });
    const where = (topic: string) => `Kafka topic "${topic}" on ${broker.saslAddress}: user "limited"`;

    it('says which right is missing, one after the other, and delivers when all are granted', async () => {
      await broker.createTopic('guarded', 1);
      await broker.allow('limited', 'guarded', []);
      const sink = create('guarded', limited());
      const reason = async () => problemOf(await sink.open());
      expect(await sink.open()).toEqual({
        ok: false,
        problem: `${where('guarded')} may not write; grant it Write and Describe on the topic`,
        mayPass: false,
      });
      await broker.allow('limited', 'guarded', ['DESCRIBE']);
      await until(async () => (await reason())?.includes('idempotently') ?? false, 'the right to show');
      expect(await sink.open()).toEqual({
        ok: false,
        problem:
          `${where('guarded')} may not write idempotently; grant it IdempotentWrite on the cluster or set ` +
          'sink.kafka.idempotent to false',
        mayPass: false,
      });
      await broker.allow('limited', 'guarded', ['DESCRIBE', 'WRITE']);
      await until(async () => (await reason()) === null, 'the sink to open');
      expect(await sink.send(batchOf(sampleEvents(5, 'guarded')))).toEqual(ACKNOWLEDGED);
    });

    it('holds events back while the right to write is taken away', async () => {
      await broker.createTopic('revoked', 1);
      await broker.allow('limited', 'revoked', ['DESCRIBE', 'WRITE']);
      const sink = create('revoked', { ...limited(), idempotent: false });
      await until(async () => (await sink.open()).ok, 'the sink to open');
      const sent = [batchOf(sampleEvents(5, 'early'))];
      expect(await sink.send(sent[0] ?? batchOf([]))).toEqual(ACKNOWLEDGED);
      await broker.allow('limited', 'revoked', ['DESCRIBE']);
      let refused: string | undefined;
      await until(async () => {
        const batch = batchOf(sampleEvents(1, `try-${sent.length}`));
        refused = (await sink.send(batch)).retry?.reason;
        sent.push(batch);
        return refused !== undefined;
      }, 'the right to be gone');
      expect(refused).toBe(`${where('revoked')} may not write; grant it Write and Describe on the topic`);
      await broker.allow('limited', 'revoked', ['DESCRIBE', 'WRITE']);
      const held = sent.at(-1) ?? batchOf([]);
      await until(async () => (await sink.send(held)).retry === null, 'the right to be back');
      const account = await broker.account('revoked');
      const count = sent.reduce((sum, batch) => sum + batch.count, 0);
      expect(account).toMatchObject({ events: count, doubled: 0, changed: [] });
      expect(account.unique).toBe(count);
    });
  });
});
