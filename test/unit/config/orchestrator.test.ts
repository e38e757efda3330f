/** Variables of an orchestrator that begin like ours: told once, and nothing else. */
import { expect, test } from 'vitest';
import { isOfService } from '../../../src/config/orchestrator.ts';
import { keys } from '../../../src/config/schema.ts';
import { makeFiles, runConfig } from './command.ts';

const KUBERNETES = {
  KTC_PORT: 'tcp://10.96.0.7:9474',
  KTC_PORT_9474_TCP: 'tcp://10.96.0.7:9474',
  KTC_PORT_9474_TCP_ADDR: '10.96.0.7',
  KTC_PORT_9474_TCP_PORT: '9474',
  KTC_PORT_9474_TCP_PROTO: 'tcp',
  KTC_SERVICE_HOST: 'fd00::7',
  KTC_SERVICE_PORT: '9474',
  KTC_SERVICE_PORT_METRICS: '9474',
  KTC_AGENT_METRICS_SERVICE_HOST: '10.96.0.8',
  KTC_AGENT_METRICS_PORT: 'udp://10.96.0.8:53',
  KTC_AGENT_METRICS_PORT_53_UDP_PROTO: 'udp',
  // A service named ktc-telemetry-http sets a key of ours.
  KTC_TELEMETRY_HTTP_PORT: 'tcp://10.96.0.9:80',
};

test.each(Object.entries(KUBERNETES))('%s=%s is of a service', (variable, value) => {
  expect(isOfService(variable, value)).toBe(true);
});

test('no key of ours with a value of its own is', () => {
  for (const path of keys.keys()) {
    const variable = `KTC_${path.toUpperCase().replaceAll('.', '_')}`;
    for (const value of ['true', '9474', '127.0.0.1', 'http://10.1.2.3:4318', 'kafka-1:9092'])
      expect([variable, value, isOfService(variable, value)]).toEqual([variable, value, false]);
  }
});

test('they are told once and ignored, whatever else is in the environment', async () => {
  const directory = makeFiles({ 'agent.json': { sink: { stdout: { enabled: true } } } });
  const args = ['show', '--json', '--config', `${directory}/agent.json`];
  const { code, stdout, stderr } = await runConfig(args, { ...KUBERNETES, KTC_HOST_NAME: 'web1' });
  expect(code).toBe(0);
  expect(stderr).toBe(
    `ktc: ignored ${Object.keys(KUBERNETES).join(', ')}: an orchestrator has set this for a service of that name\n`,
  );
  const shown = JSON.parse(stdout) as { config: { host: object; telemetry: object }; origins: object };
  expect(shown.config).toMatchObject({ host: { name: 'web1' }, telemetry: { http: { port: 9474 } } });
  expect(shown.origins).toMatchObject({ 'host.name': 'KTC_HOST_NAME', 'telemetry.http.port': 'default' });
  expect((await runConfig(args, KUBERNETES)).stderr).toBe('');
});
