import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createReload } from '../../../src/agent/reload.ts';
import type { ConfigResult } from '../../../src/config/load.ts';
import { refuseConfig } from '../../../src/config/load.ts';
import { collectLines } from '../telemetry/log-lines.ts';
import { configOf } from './files.ts';

const SINK = { 'sink.stdout.enabled': 'true' };

function setUp(reread: (() => ConfigResult) | null) {
  const lines = collectLines();
  const levels: string[] = [];
  const logging = {
    log: pino({ base: null }, lines.stream),
    setLevel: (level: string) => void levels.push(level),
    toggleDebug: () => 'debug' as const,
  };
  const loaded = configOf(SINK);
  return { lines, levels, loaded, reload: createReload({ loaded, reread }, logging) };
}

const read = (flags: Record<string, string>) => (): ConfigResult => ({
  ok: true,
  value: configOf({ ...SINK, ...flags }),
});

test('a reload takes over what may change, and logs which keys did', () => {
  const { lines, levels, reload } = setUp(read({ 'exclude.ports': '443', 'log.level': 'warn' }));
  expect(reload.reread()).toBe(true);
  expect(reload.config.exclude.ports).toEqual([443]);
  expect(levels).toEqual(['warn']);
  expect(lines.all()).toMatchObject([{ level: 30, changed: ['exclude.ports', 'log.level'] }]);
});

test('a key that needs a restart refuses the whole reload', () => {
  const { lines, levels, loaded, reload } = setUp(
    read({ 'exclude.ports': '443', 'tracking.max_connections': '2000' }),
  );
  expect(reload.reread()).toBe(false);
  expect(reload.config).toBe(loaded.config);
  expect(levels).toEqual([]);
  expect(lines.all()).toMatchObject([{ level: 50, refused: ['tracking.max_connections'] }]);
});

test('a mistake keeps the old configuration, and every mistake is logged', () => {
  const mistake = { origin: '/etc/ktc/agent.json', path: 'log.level', problem: 'is wrong' };
  const { lines, loaded, reload } = setUp(() => refuseConfig([mistake, { ...mistake, path: 'host.name' }]));
  expect(reload.reread()).toBe(false);
  expect(reload.config).toBe(loaded.config);
  expect(lines.messages()).toEqual([
    '/etc/ktc/agent.json: log.level: is wrong',
    '/etc/ktc/agent.json: host.name: is wrong',
    'the configuration was not reloaded: the old one stays',
  ]);
});

test('without a file there is nothing to reload', () => {
  const { lines, reload } = setUp(null);
  expect(reload.reread()).toBe(false);
  expect(lines.messages()).toEqual(['there is no configuration file to read again']);
});
