/** The environment of the agent steers none of its connections: who is trusted, who sees them, where they go. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoAgent } from '../support/agent.ts';
import { makeCertificates, type TestCertificates } from '../support/certificates.ts';
import { checkSettings } from '../support/check.ts';
import { type Receiver, startHttpReceiver, TAKEN } from '../support/otlp-receiver.ts';

const missing = whyNoAgent();
if (missing) console.warn(`skipped: the environment of the agent: ${missing}`);

const SECRET = 'Bearer 3xampl3';

describe.skipIf(missing)('an environment that sets', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-environment-'));
  const path = (name: string) => join(directory, name);
  let certificates: TestCertificates;
  /** Behind a certificate of an authority that nobody has named; what it has read. */
  let stranger: { server: Server; port: number; read: Buffer[] };
  let proxy: { server: Server; port: number; connections: number };
  let receiver: Receiver;

  beforeAll(async () => {
    certificates = makeCertificates(directory);
    const read: Buffer[] = [];
    const files = {
      cert: readFileSync(certificates.broker.certificate),
      key: readFileSync(certificates.broker.key),
    };
    const server = createTlsServer({ ...files, ALPNProtocols: ['h2', 'http/1.1'] }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (data: Buffer) => read.push(data));
    });
    server.on('tlsClientError', () => {});
    await once(server.listen(0, '127.0.0.1'), 'listening');
    stranger = { server, port: (server.address() as AddressInfo).port, read };
    const counting = createServer((socket) => {
      proxy.connections++;
      socket.destroy();
    });
    await once(counting.listen(0, '127.0.0.1'), 'listening');
    proxy = { server: counting, port: (counting.address() as AddressInfo).port, connections: 0 };
    receiver = await startHttpReceiver({ answer: () => TAKEN });
    writeFileSync(path('headers'), `authorization: ${SECRET}\n`, { mode: 0o600 });
    writeFileSync(path('code.cjs'), `require('node:fs').writeFileSync('${path('loaded')}', '');`);
    writeFileSync(
      path('openssl.cnf'),
      'nodejs_conf = x\n[x]\nssl_conf = y\n[y]\nsystem_default = z\n[z]\nVerifyMode = none\n',
    );
  });
  afterAll(async () => {
    stranger?.server.close();
    proxy?.server.close();
    await receiver?.close();
    rmSync(directory, { recursive: true });
  });

  /** Nothing of the environment of the tests is in that of the agent, but where programs are. */
  const check = (settings: Record<string, string>, environment: Record<string, string>) =>
    checkSettings(settings, { PATH: process.env['PATH'], ...environment });

  const otlpAt = (endpoint: string, protocol = 'http/protobuf') => ({
    'sink.otlp.enabled': 'true',
    'sink.otlp.endpoint': endpoint,
    'sink.otlp.protocol': protocol,
    'sink.otlp.headers_file': path('headers'),
  });
  const strangers = () => ({
    otlp: otlpAt(`https://127.0.0.1:${stranger.port}`),
    'otlp by gRPC': otlpAt(`https://127.0.0.1:${stranger.port}`, 'grpc'),
    kafka: {
      'sink.kafka.enabled': 'true',
      'sink.kafka.tls.enabled': 'true',
      'sink.kafka.brokers': `127.0.0.1:${stranger.port}`,
    },
  });

  it.each<[string, () => Record<string, string>]>([
    ['nothing', () => ({})],
    ['NODE_TLS_REJECT_UNAUTHORIZED', () => ({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })],
    ['NODE_EXTRA_CA_CERTS', () => ({ NODE_EXTRA_CA_CERTS: certificates.authority })],
    [
      'NODE_OPTIONS and SSL_CERT_FILE',
      () => ({ NODE_OPTIONS: '--use-openssl-ca', SSL_CERT_FILE: certificates.authority }),
    ],
    [
      'NODE_OPTIONS with code',
      () => ({ NODE_OPTIONS: `--require=${path('code.cjs')}`, NODE_TLS_REJECT_UNAUTHORIZED: '0' }),
    ],
    ['SSLKEYLOGFILE', () => ({ SSLKEYLOGFILE: path('keys'), NODE_OPTIONS: `--tls-keylog=${path('keys')}` })],
    ['OPENSSL_CONF', () => ({ OPENSSL_CONF: path('openssl.cnf') })],
  ])('%s lets the agent send nothing to a receiver that it does not trust', async (_, environment) => {
    for (const [name, settings] of Object.entries(strangers())) {
      const { findings } = await check(settings, environment());
      const sink = findings.find((finding) => finding.name.startsWith('sink '));
      expect(sink?.verdict, name).toBe('failed');
      expect(sink?.detail).toMatch(/unable to verify the first certificate/);
      const told = findings.filter((finding) => finding.name === 'environment').map(({ detail }) => detail);
      for (const variable of Object.keys(environment())) expect(told.join()).toContain(variable);
    }
    expect(Buffer.concat(stranger.read).toString('latin1')).toBe('');
    expect(['keys', 'loaded'].filter((file) => existsSync(path(file)))).toEqual([]);
  });

  it.each([
    ['HTTPS_PROXY', 'HTTP_PROXY'],
    ['https_proxy', 'http_proxy'],
    ['ALL_PROXY', 'all_proxy'],
    ['HTTP_PROXY', 'NODE_USE_ENV_PROXY'],
  ])('%s and %s does not send the agent to a proxy, which it says', async (...names) => {
    const environment = Object.fromEntries(
      names.map((name) => [name, name === 'NODE_USE_ENV_PROXY' ? '1' : `http://127.0.0.1:${proxy.port}`]),
    );
    const before = receiver.received.length;
    const { findings } = await check(otlpAt(receiver.endpoint), environment);
    expect(findings.find(({ name }) => name === 'sink otlp')).toMatchObject({ verdict: 'ok' });
    expect(findings.find(({ name }) => name === 'environment')).toMatchObject({
      verdict: 'warning',
      detail: expect.stringContaining('sinks connect directly, not through a proxy'),
    });
    expect(receiver.received.length).toBe(before + 1);
    expect(proxy.connections).toBe(0);
  });

  it('NODE_DEBUG does not print what is secret', async () => {
    const { stderr, stdout } = await check(otlpAt(receiver.endpoint), {
      NODE_DEBUG: 'http,https,http2,net,tls',
    });
    expect(stderr).toBe('');
    expect(stdout).not.toContain(SECRET);
  });
});
