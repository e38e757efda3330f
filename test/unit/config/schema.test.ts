import { readFileSync } from 'node:fs';
import { assert, describe, expect, it } from 'vitest';
import { compareConfigs } from '../../../src/config/compare.ts';
import { type ConfigSources, loadConfig } from '../../../src/config/load.ts';
import { editDistance, nearest } from '../../../src/config/nearest.ts';
import { type AgentConfig, environmentName, keys, knownPaths } from '../../../src/config/schema.ts';
import { formatProblem } from '../../../src/setting/problem.ts';
import { makeFiles, runConfig } from './command.ts';

function load(file: string, flags: ConfigSources['flags'] = {}): AgentConfig {
  const result = loadConfig({ file, environment: {}, flags });
  assert(result.ok, result.ok ? '' : result.problems.map(formatProblem).join('\n'));
  return result.value.config;
}

describe('the schema', () => {
  it('has an environment variable of its own for every key', () => {
    expect(new Set([...keys.keys()].map(environmentName)).size).toBe(keys.size);
  });

  it.each([...keys])('says what %s is and has a default that fits', (_, key) => {
    expect(key.doc).toMatch(/^[\p{Lu}\p{Ll}].*\.$/u);
    expect(key.faults(key.default)).toEqual([]);
    expect(() => key.format(key.default)).not.toThrow();
    expect(() => key.format(Symbol('none'))).toThrow(TypeError);
    expect(() => key.format(undefined)).toThrow(TypeError);
  });

  it('knows which keys a reload can change', () => {
    const reloadable = [...keys].filter(([, key]) => key.reloadable).map(([path]) => path);
    expect(reloadable.map((path) => path.replace(/\.[^.]*$/, ''))).toEqual([
      ...Array(7).fill('events'),
      ...Array(4).fill('exclude'),
      ...Array(7).fill('limits.events_per_second'),
      'limits',
      ...Array(2).fill('summary'),
      'host_status',
      ...Array(3).fill('batch'),
      'log',
    ]);
  });
});

describe('docs/configuration.md', () => {
  it('is what ktc config reference prints (make docs writes it)', async () => {
    const { code, stdout } = await runConfig(['reference']);
    expect(code).toBe(0);
    expect(readFileSync('docs/configuration.md', 'utf8')).toBe(stdout);
  });
});

describe('the files in config/', () => {
  it('agent.json sends to Kafka', () => {
    expect(load('config/agent.json').sink.kafka).toMatchObject({ enabled: true, topic: 'ktc-events' });
  });

  it('local.json prints a table, appends to a file and opens no port', () => {
    const { sink, telemetry } = load('config/local.json');
    expect(sink.stdout).toEqual({ enabled: true, format: 'table' });
    expect(sink.file).toMatchObject({ enabled: true, path: './ktc-events.ndjson' });
    expect(telemetry.http.enabled).toBe(false);
  });

  it('examples/kafka-sasl.json loads where its two files are', () => {
    const directory = makeFiles({ 'secret-password': 'hunter2\n', 'ca.pem': 'CA' });
    const config = load('config/examples/kafka-sasl.json', {
      'sink.kafka.tls.ca_file': `${directory}/ca.pem`,
      'sink.kafka.sasl.password_file': `${directory}/secret-password`,
    });
    expect(config.sink.kafka.sasl.mechanism).toBe('scram-sha-512');
  });

  it('examples/otlp.json loads where its two files are', () => {
    const directory = makeFiles({ 'secret-headers': 'authorization: Bearer hunter2\n', 'ca.pem': 'CA' });
    const { sink } = load('config/examples/otlp.json', {
      'sink.otlp.tls.ca_file': `${directory}/ca.pem`,
      'sink.otlp.headers_file': `${directory}/secret-headers`,
    });
    expect(sink.otlp).toMatchObject({ enabled: true, protocol: 'http/protobuf' });
  });

  it('examples/kafka-packed.json packs events for a topic of each kind', () => {
    const { kafka } = load('config/examples/kafka-packed.json').sink;
    expect(kafka).toMatchObject({ topic: 'ktc.{event}', format: 'ndjson', compression: 'zstd' });
  });

  it('examples/retransmits-only.json leaves one kind of event on', () => {
    const { events } = load('config/examples/retransmits-only.json');
    expect(Object.entries(events).filter(([, enabled]) => enabled)).toEqual([['tcp_retransmit', true]]);
  });

  it('examples/file-and-stdout.json has both sinks', () => {
    const { sink } = load('config/examples/file-and-stdout.json');
    expect([sink.kafka.enabled, sink.file.enabled, sink.stdout.enabled]).toEqual([false, true, true]);
  });
});

describe('compareConfigs', () => {
  const base = { 'sink.stdout.enabled': 'true' };
  const file = 'config/agent.json';

  it('finds nothing between equal configurations', () => {
    expect(compareConfigs(load(file), load(file))).toEqual({ changed: [], refused: [] });
  });

  it('tells what takes effect at once from what needs a restart', () => {
    const next = load(file, {
      ...base,
      'log.level': 'debug',
      'exclude.ports': '22',
      'events.tcp_life': 'false',
      'batch.linger_ms': '50',
      'host.labels.rack': 'r99',
      'sink.kafka.brokers': 'b:9092',
    });
    expect(compareConfigs(load(file), next)).toEqual({
      changed: ['events.tcp_life', 'exclude.ports', 'batch.linger_ms', 'log.level'],
      refused: ['host.labels', 'sink.kafka.brokers', 'sink.stdout.enabled'],
    });
  });
});

describe('nearest', () => {
  it.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['flaw', 'lawn', 2],
    ['abc', 'abc', 0],
  ])('the edit distance of %j and %j is %i', (from, to, distance) => {
    expect(editDistance(from, to)).toBe(distance);
    expect(editDistance(to, from)).toBe(distance);
  });

  it.each([
    ['batch.linger', 'batch.linger_ms'],
    ['sink.brokers', 'sink.kafka.brokers'],
    ['loglevel', 'log.level'],
    ['sink.kafka.sasl.password', 'sink.kafka.sasl.password_file'],
    ['kafka', 'sink.kafka'],
    ['spol', 'spool'],
  ])('of %s is %s', (written, meant) => {
    expect(nearest(written, knownPaths)).toBe(meant);
  });
});
