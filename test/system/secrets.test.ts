/** Everything that the agent says while everything fails: no secret is in it. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KTC, startAgent, whyNoAgent } from '../support/agent.ts';
import { makeCertificates, type TestCertificates } from '../support/certificates.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { freePorts, until } from '../support/wait.ts';

const missing = whyNoAgent() ?? whyNoKafka();
if (missing) console.warn(`skipped: secrets: ${missing}`);

const PASSWORD = 'Tr0ub4dor&3-not-to-be-seen';
const TOKEN = 'eyJ-not-to-be-seen-either';
const USER = 'agent';

describe.skipIf(missing)('no secret is seen', () => {
  let directory = '';
  let broker: Broker;
  let certificates: TestCertificates;
  let needles: string[] = [];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'ktc-secrets-'));
    certificates = makeCertificates(directory);
    broker = await startBroker({ saslUsers: { [USER]: 'another' } });
    writeFileSync(join(directory, 'password'), `${PASSWORD}\n`, { mode: 0o600 });
    writeFileSync(join(directory, 'headers'), `authorization: Bearer ${TOKEN}\n`, { mode: 0o600 });
    chmodSync(certificates.client.key, 0o600);
    const key = readFileSync(certificates.client.key, 'utf8').split('\n');
    const base64 = (text: string) => Buffer.from(text).toString('base64').replaceAll('=', '');
    needles = [
      TOKEN,
      PASSWORD,
      base64(PASSWORD),
      // As SASL PLAIN sends it.
      base64(`\0${USER}\0${PASSWORD}`),
      encodeURIComponent(PASSWORD),
      ...key.filter((line) => line.length > 16 && !line.startsWith('-----')),
    ];
  });
  afterAll(async () => {
    await broker?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  function expectNone(said: Readonly<Record<string, string>>): void {
    for (const [where, text] of Object.entries(said)) {
      expect(text, `${where} says something`).not.toBe('');
      for (const needle of needles) expect(text.includes(needle), `${where} shows a secret`).toBe(false);
    }
  }

  function configOf(kafka: object) {
    const sasl = { mechanism: 'plain', username: USER, password_file: join(directory, 'password') };
    return {
      source: { kind: 'tracepoints', probes: { tcp_set_state: { filter: 'dport == 1' } } },
      sink: {
        kafka: { enabled: true, delivery_timeout_ms: 15_000, request_timeout_ms: 10_000, sasl, ...kafka },
      },
      shutdown: { timeout_s: 1 },
      log: { level: 'trace' },
    };
  }

  function ktc(command: string, config: object): string {
    const file = join(directory, 'agent.json');
    writeFileSync(file, JSON.stringify(config));
    const { stdout, stderr } = spawnSync(KTC, [...command.split(' '), '--config', file], {
      encoding: 'utf8',
    });
    return stdout + stderr;
  }

  it('where the broker refuses the login', async () => {
    const config = configOf({ brokers: [broker.saslAddress] });
    const agent = await startAgent({ config, awaitReady: false });
    await until(() => agent.process.exitCode !== null, 'the agent to end');
    expect(agent.log()).toContain('refused the login');
    const checked = ktc('check --json', {
      ...config,
      source: { ...config.source, instance: `ktc-secrets-${process.pid}` },
    });
    expect(checked).toContain('refused the login');
    expectNone({ log: agent.log(), check: checked });
  });

  it('where the connection, its encryption and the configuration fail', async () => {
    const [closed] = await freePorts(1);
    const tls = {
      enabled: true,
      ca_file: certificates.authority,
      certificate_file: certificates.client.certificate,
      key_file: certificates.client.key,
    };
    // A port where nobody is, and one that does not speak TLS.
    const { sink, ...rest } = configOf({ brokers: [`127.0.0.1:${closed}`, broker.address], tls });
    const otlp = {
      enabled: true,
      endpoint: `http://127.0.0.1:${closed}`,
      headers_file: join(directory, 'headers'),
    };
    const config = { ...rest, sink: { ...sink, otlp } };
    const agent = await startAgent({ config, awaitReady: false });
    await until(async () => {
      const status = await agent.status().catch(() => null);
      return status?.sinks['kafka']?.problem != null && status.sinks['otlp']?.problem != null;
    }, 'the sink to fail');
    // A reload that is refused, with the secrets read again.
    agent.configure({
      ...config,
      sink: { ...config.sink, kafka: { ...config.sink.kafka, topic: 'another' } },
    });
    agent.process.kill('SIGHUP');
    await until(() => agent.log().includes('was not reloaded'), 'the reload to be refused');
    const pages = {
      status: await agent.get('/status'),
      ready: await agent.get('/readyz'),
      metrics: await agent.get('/metrics'),
    };
    await agent.stop();
    expect(agent.log()).toContain('"msg":"stopped"');
    expectNone({
      log: agent.log(),
      ...Object.fromEntries(Object.entries(pages).map(([name, { body }]) => [name, body])),
      show: ktc('config show', config),
      'show --json': ktc('config show --json', config),
      // The certificate in the place of its key, and the key in that of the authority.
      refused: ktc(
        'run',
        configOf({
          brokers: ['x:1'],
          tls: { ...tls, key_file: certificates.client.certificate, ca_file: '/' },
        }),
      ),
      confused: ktc(
        'check',
        configOf({ brokers: [broker.address], tls: { ...tls, ca_file: certificates.client.key } }),
      ),
    });
  });
});
