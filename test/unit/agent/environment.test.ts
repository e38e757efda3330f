import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { launcher } from '../../../scripts/bundle.ts';
import { CLEARED_NAMES, CLEARED_VARIABLES, environmentNotes } from '../../../src/agent/environment.ts';
import { configOf, makeDirectory } from './files.ts';

const LOCAL = configOf({ 'sink.stdout.enabled': 'true' }).config;
const OTLP = configOf({ 'sink.otlp.enabled': 'true' }).config;
const KAFKA = configOf({ 'sink.kafka.enabled': 'true', 'sink.kafka.brokers': 'kafka-1:9092' }).config;

describe('what the agent says of its environment', () => {
  it('is nothing where nothing is set that could steer it', () => {
    const environment = { PATH: '/usr/bin', NO_PROXY: 'localhost', NODE_ENV: 'production', HTTPS_PROXY: '' };
    for (const config of [LOCAL, OTLP, KAFKA]) expect(environmentNotes(environment, config)).toEqual([]);
  });

  it.each(['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'https_proxy', 'http_proxy', 'all_proxy'])(
    'is that %s has no effect, where a sink could need it',
    (name) => {
      const note = `${name} in the environment: no effect on the agent; sinks connect directly, not through a proxy`;
      for (const config of [OTLP, KAFKA])
        expect(environmentNotes({ [name]: 'http://proxy:3128' }, config)).toEqual([note]);
      expect(environmentNotes({ [name]: 'http://proxy:3128' }, LOCAL)).toEqual([]);
    },
  );

  it('names what the launcher has taken out, by what it would have done', () => {
    const names =
      'NODE_OPTIONS NODE_DEBUG NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED NODE_USE_ENV_PROXY';
    const environment = { [CLEARED_NAMES]: names, HTTPS_PROXY: 'http://proxy:3128' };
    const runtime =
      'NODE_DEBUG, NODE_OPTIONS in the environment: no effect on the agent; Node.js is started without';
    expect(environmentNotes(environment, OTLP)).toEqual([
      runtime,
      'NODE_EXTRA_CA_CERTS, NODE_TLS_REJECT_UNAUTHORIZED in the environment: no effect on the agent; certificates are ' +
        'always checked, and sink.*.tls.ca_file names the authorities to trust',
      'HTTPS_PROXY, NODE_USE_ENV_PROXY in the environment: no effect on the agent; sinks connect directly, not through ' +
        'a proxy',
    ]);
    expect(environmentNotes(environment, LOCAL)).toEqual([runtime]);
  });
});

describe('the launcher', () => {
  /** What Node.js would be started with. */
  const environmentWith = (environment: Record<string, string>): Record<string, string> => {
    // env prints it, and takes the options of Node.js after `--` for names of files.
    const print = `/bin/sh -c 'env -0' --`;
    const script = join(makeDirectory(), 'ktc');
    writeFileSync(script, launcher('home=$here\n', print));
    chmodSync(script, 0o755);
    const printed = execFileSync(script, {
      env: { PATH: process.env['PATH'] ?? '', ...environment },
      encoding: 'utf8',
    });
    return Object.fromEntries(
      printed
        .split('\0')
        .flatMap((line) => (line === '' ? [] : [[line.split('=')[0], line.slice(line.indexOf('=') + 1)]])),
    );
  };

  it('takes out every variable that steers Node.js, and says which were set', () => {
    const set = Object.fromEntries(CLEARED_VARIABLES.map((name) => [name, 'x']));
    const { [CLEARED_NAMES]: names = '', ...rest } = environmentWith({ ...set, TZ: 'UTC' });
    expect(names.split(' ')).toEqual(CLEARED_VARIABLES);
    for (const name of CLEARED_VARIABLES) expect(rest).not.toHaveProperty(name);
    expect(rest).toMatchObject({ TZ: 'UTC' });
  });

  it.each([
    ['an empty one', ''],
    ['one with a command in it', '$(touch /tmp/ktc-must-not-be)`id`"; exit 1; "'],
    ['one with line breaks', 'a\nexport PATH=/nowhere\n'],
  ])('takes out %s', (_, value) => {
    const environment = environmentWith({ NODE_OPTIONS: value, KEPT: value });
    expect(environment).toMatchObject({ [CLEARED_NAMES]: 'NODE_OPTIONS', KEPT: value });
    expect(environment).not.toHaveProperty('NODE_OPTIONS');
  });

  it('says nothing where none is set, whatever was said before', () => {
    expect(environmentWith({})).not.toHaveProperty(CLEARED_NAMES);
    expect(environmentWith({ [CLEARED_NAMES]: 'NODE_OPTIONS' })).not.toHaveProperty(CLEARED_NAMES);
  });

  it('knows every variable that this Node.js knows', () => {
    const help = execFileSync(process.execPath, ['--help'], { encoding: 'utf8' });
    const known = new Set([...help.matchAll(/^((?:NODE|SSL|OPENSSL)_\w+)/gm)].map(([, name = '']) => name));
    expect(known.size).toBeGreaterThan(10);
    expect([...known].filter((name) => !CLEARED_VARIABLES.includes(name))).toEqual([]);
  });
});
