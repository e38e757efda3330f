import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Finding } from '../../../../src/agent/check/finding.ts';
import { preflight as preflightOf } from '../../../../src/agent/check/preflight.ts';
import type { LoadedConfig } from '../../../../src/config/load.ts';
import { startHttpReceiver, TAKEN } from '../../../support/otlp-receiver.ts';
import { configOf, makeDirectory } from '../files.ts';

const preflight = (loaded: LoadedConfig) => preflightOf(loaded, 'test');

const byName = (findings: readonly Finding[]) =>
  Object.fromEntries(findings.map(({ name, verdict, detail }) => [name, { verdict, detail }]));

test('a host where everything is there has nothing but ok', async () => {
  const path = join(makeDirectory(), 'events.ndjson');
  const findings = await preflight(
    configOf({
      'sink.file.enabled': 'true',
      'sink.file.path': path,
      'sink.file.max_bytes': '4096',
      'telemetry.http.enabled': 'true',
      'telemetry.http.port': '0',
    }),
  );
  expect(findings.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
  const found = byName(findings);
  expect(Object.keys(found)).toEqual(
    expect.arrayContaining([
      'kernel',
      'source',
      'probe tcp_set_state',
      'buffers',
      'user',
      'core files',
      'sink file',
      'telemetry',
    ]),
  );
  expect(existsSync(path)).toBe(false);
  expect(found['source']?.detail).toMatch(/^replay, clock mono, \d+ CPUs$/);
});

test('standard output is not tried, because that would print', async () => {
  const found = byName(await preflight(configOf({ 'sink.stdout.enabled': 'true' })));
  expect(found).not.toHaveProperty('sink stdout');
});

test('a missing directory fails the sink, with what to do', async () => {
  const path = join(makeDirectory(), 'missing', 'events.ndjson');
  const found = byName(await preflight(configOf({ 'sink.file.enabled': 'true', 'sink.file.path': path })));
  expect(found['sink file']).toEqual({
    verdict: 'failed',
    detail: `cannot write events to ${path}: its directory does not exist; create it for the user of the agent`,
  });
});

test('more files than the disk has room for is a warning', async () => {
  const path = join(makeDirectory(), 'events.ndjson');
  const found = byName(
    await preflight(
      configOf({
        'sink.file.enabled': 'true',
        'sink.file.path': path,
        'sink.file.max_bytes': '1099511627776',
        'sink.file.max_files': '1000',
      }),
    ),
  );
  expect(found['sink file']?.verdict).toBe('warning');
  expect(found['sink file']?.detail).toMatch(/lower sink\.file\.max_bytes or max_files$/);
});

test('a recording that is not there, or is none, fails the source', async () => {
  const path = join(makeDirectory(), 'text.ktcrec');
  writeFileSync(path, 'no recording');
  const loaded = configOf({ 'sink.stdout.enabled': 'true', 'source.recording': path });
  const { source: damaged } = byName(await preflight(loaded));
  expect(damaged?.verdict).toBe('failed');
  expect(damaged?.detail).toContain(`${path} is not a complete recording`);
  rmSync(path);
  const { source: missing } = byName(await preflight(loaded));
  expect(missing).toEqual({ verdict: 'failed', detail: `there is no recording ${path}` });
});

test('a taken port is a warning: events matter more', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const found = byName(
    await preflight(
      configOf({
        'sink.stdout.enabled': 'true',
        'telemetry.http.enabled': 'true',
        'telemetry.http.port': String(port),
      }),
    ),
  );
  expect(found['telemetry']?.verdict).toBe('warning');
  expect(found['telemetry']?.detail).toContain(String(port));
});

test('a receiver of OTLP is asked by a request without events', async () => {
  const receiver = await startHttpReceiver({ answer: () => TAKEN });
  const check = async (path: string) => {
    const endpoint = `${receiver.endpoint}${path}`;
    const flags = { 'sink.otlp.enabled': 'true', 'sink.otlp.endpoint': endpoint };
    return byName(await preflight(configOf(flags)))['sink otlp'];
  };
  expect(await check('')).toEqual({ verdict: 'ok', detail: 'ready' });
  expect(receiver.received.map(({ path, ids }) => [path, ids])).toEqual([['/v1/logs', []]]);
  await receiver.close();
  const failed = await check('/elsewhere');
  expect(failed?.verdict).toBe('failed');
  expect(failed?.detail).toMatch(
    /^OTLP receiver http:\/\/127\.0\.0\.1:\d+\/elsewhere: connect ECONNREFUSED /,
  );
});
