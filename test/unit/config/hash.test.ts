import { expect, test } from 'vitest';
import { configHash } from '../../../src/config/hash.ts';
import { type ConfigSources, loadConfig } from '../../../src/config/load.ts';

function hashOf(sources: Partial<ConfigSources>): string {
  const loaded = loadConfig({ file: null, environment: {}, flags: {}, ...sources });
  if (!loaded.ok) throw new Error(loaded.problem);
  return configHash(loaded.value.config);
}

const sink = { 'sink.file.enabled': 'true', 'sink.file.path': '/events' };

test('the hash is 16 hex digits', () => {
  expect(hashOf({ flags: sink })).toMatch(/^[0-9a-f]{16}$/);
});

test('the hash is the same whichever layer sets a value, in whatever order, and where a default is set again', () => {
  const file = { enabled: true, path: '/events' };
  const expected = hashOf({ flags: { ...sink, 'host.labels': 'rack=r1,role=web' } });
  for (const sources of [
    { embedded: { host: { labels: { role: 'web', rack: 'r1' } }, sink: { file } } },
    { flags: { 'host.labels': 'role=web,rack=r1', ...sink, 'batch.linger_ms': '240' } },
    { flags: { ...sink, 'host.labels.role': 'web' }, environment: { KTC_HOST_LABELS: 'rack=r1' } },
  ])
    expect(hashOf(sources)).toBe(expected);
});

test.each([
  ['a number', { 'batch.linger_ms': '241' }],
  ['a label', { 'host.labels': 'rack=r2' }],
  ['the order of a list', { 'exclude.ports': '2,1' }],
])('the hash is another one with %s changed', (_, changed) => {
  const base = { ...sink, 'host.labels': 'rack=r1', 'exclude.ports': '1,2' };
  expect(hashOf({ flags: { ...base, ...changed } })).not.toBe(hashOf({ flags: base }));
});
