import { join } from 'node:path';
import fc from 'fast-check';
import { assert, describe, expect, it } from 'vitest';
import { type ConfigSources, type LoadedConfig, loadConfig } from '../../../src/config/load.ts';
import { formatProblem } from '../../../src/setting/problem.ts';
import { makeFiles } from './command.ts';

const stdout = { sink: { stdout: { enabled: true } } };

function load(
  files: Readonly<Record<string, string | object>>,
  sources: Partial<ConfigSources> = {},
): LoadedConfig {
  const file = join(makeFiles({ 'agent.json': {}, ...files }), 'agent.json');
  const result = loadConfig({ file, environment: {}, flags: {}, embedded: stdout, ...sources });
  assert(result.ok, result.ok ? '' : result.problems.map(formatProblem).join('\n'));
  return result.value;
}

describe('layers', () => {
  it('later layers win: defaults, embedded, file, conf.d by name, environment, flags', () => {
    const setting = (max_events: number) => ({ batch: { max_events } });
    const files = { 'agent.json': setting(2), 'conf.d/10-a.json': setting(3), 'conf.d/9-b.json': setting(4) };
    const loadLayers = (count: number) =>
      load(Object.fromEntries(Object.entries(files).slice(0, Math.max(count - 1, 0))), {
        embedded: count >= 1 ? { ...stdout, ...setting(1) } : stdout,
        environment: count >= 5 ? { KTC_BATCH_MAX_EVENTS: '5' } : {},
        flags: count >= 6 ? { 'batch.max_events': '6' } : {},
      });
    const origins = ['default', 'embedded', ...Object.keys(files), 'KTC_BATCH_MAX_EVENTS', '--set'];
    for (const [count, origin] of origins.entries()) {
      const loaded = loadLayers(count);
      expect(loaded.config.batch.max_events).toBe(count === 0 ? 1000 : count);
      expect(loaded.origins.get('batch.max_events')?.endsWith(origin)).toBe(true);
    }
  });

  it('read conf.d in the order of names and leave out hidden and other files', () => {
    const { config, origins } = load({
      'conf.d/2.json': { log: { level: 'warn' } },
      'conf.d/10.json': { log: { level: 'error' }, host: { name: 'ten' } },
      'conf.d/.3.json': { log: { level: 'silent' } },
      'conf.d/4.json.rpmsave': 'not JSON',
    });
    expect([config.log.level, config.host.name]).toEqual(['warn', 'ten']);
    expect(origins.get('log.level')).toMatch(/conf\.d\/2\.json$/);
  });

  it('read a directory that is named, and refuse one that is not there', () => {
    const directory = makeFiles({ 'a.json': { log: { level: 'debug' } } });
    expect(load({}, { directory }).config.log.level).toBe('debug');
    const missing = loadConfig({
      directory: `${directory}/none`,
      environment: {},
      flags: {},
      embedded: stdout,
    });
    expect(missing).toEqual({
      ok: false,
      problem: `${join(directory, 'none')}: cannot be read: no such file or directory`,
      problems: [
        { origin: `${directory}/none`, path: null, problem: 'cannot be read: no such file or directory' },
      ],
    });
  });

  it('leave out all files when told so', () => {
    const directory = makeFiles({ 'a.json': { log: { level: 'debug' } } });
    const { config, origins } = load({}, { file: null, directory });
    expect(config.log.level).toBe('info');
    expect(new Set(origins.values())).toEqual(new Set(['default', 'embedded']));
  });

  it('replace lists as a whole', () => {
    const { config } = load(
      { 'agent.json': { exclude: { ports: [22, 23], comms: ['a', 'b'] } } },
      { environment: { KTC_EXCLUDE_PORTS: '443' }, flags: { 'exclude.comms': '[]' } },
    );
    expect(config.exclude).toEqual({ addresses: [], ports: [443], comms: [], units: [] });
  });

  it('merge labels by name, each with the layer that set it', () => {
    const { config, origins } = load(
      {
        'agent.json': { host: { labels: { rack: 'r1', role: 'web', owner: 'a' } } },
        'conf.d/1.json': { host: { labels: { rack: 'r2' } } },
      },
      { environment: { KTC_HOST_LABELS: 'role=db, zone=z=1' }, flags: { 'host.labels.owner': 'b' } },
    );
    expect(config.host.labels).toEqual({ rack: 'r2', role: 'db', owner: 'b', zone: 'z=1' });
    expect(origins.get('host.labels.rack')).toMatch(/1\.json$/);
    expect(origins.get('host.labels.role')).toBe('KTC_HOST_LABELS');
    expect(origins.get('host.labels.owner')).toBe('--set');
  });

  it('remove a key or a label by null in conf.d, so that what comes before is as if it were not there', () => {
    const { config, origins } = load({
      'agent.json': { exclude: { ports: [22] }, host: { name: 'a', labels: { rack: 'r1', role: 'web' } } },
      'conf.d/1.json': { exclude: { ports: null }, host: { labels: { rack: null, zone: 'z' } } },
      'conf.d/2.json': { host: { name: null, labels: { never_set: null } } },
    });
    expect(config.exclude.ports).toEqual([]);
    expect(config.host).toEqual({ name: '', labels: { role: 'web', zone: 'z' } });
    expect(origins.get('exclude.ports')).toBe('default');
    expect(origins.has('host.labels.rack')).toBe(false);
    expect(origins.get('host.labels.role')).toMatch(/agent\.json$/);

    const all = load({
      'agent.json': { host: { labels: { rack: 'r1' } } },
      'conf.d/1.json': { host: { labels: null } },
      'conf.d/2.json': { host: { labels: { role: 'db' } } },
    });
    expect(all.config.host.labels).toEqual({ role: 'db' });
    expect(all.origins.has('host.labels.rack')).toBe(false);
  });

  it('count an empty variable as not set, whatever the type of its key', () => {
    const variables = [
      'EVENTS_TCP_LIFE',
      'BATCH_MAX_EVENTS',
      'HOST_LABELS',
      'SINK_KAFKA_BROKERS',
      'LOG_LEVEL',
      'TYPO',
    ];
    const environment = Object.fromEntries(variables.map((name) => [`KTC_${name}`, '']));
    expect(load({}, { environment }).config).toEqual(load({}).config);
    const { config } = load({ 'agent.json': { events: { tcp_life: false } } }, { environment });
    expect(config.events.tcp_life).toBe(false);
  });

  it('give the same configuration whether a value comes from a file, a variable or a flag', () => {
    const values = {
      'host.name': ['web "1", é', 'web "1", é'],
      'host.labels': [{ rack: 'r,1' }, '{"rack":"r,1"}'],
      'events.tcp_state': [false, 'false'],
      'source.probes.tcp_send_reset.filter': ['comm == "curl"', 'comm == "curl"'],
      'sink.kafka.brokers': [['[::1]:9092', 'b:1'], '[::1]:9092, b:1'],
      'exclude.ports': [[22, 443], '22,443'],
      'exclude.comms': [['a,b'], '["a,b"]'],
      'telemetry.http.port': [0, '0'],
    } as const;
    for (const [path, [value, text]] of Object.entries(values)) {
      const document = path.split('.').reduceRight<unknown>((inner, part) => ({ [part]: inner }), value);
      const fromFile = load({ 'agent.json': document as object }).config;
      const variable = `KTC_${path.toUpperCase().replaceAll('.', '_')}`;
      expect(fromFile).not.toEqual(load({}).config);
      expect(load({}, { environment: { [variable]: text } }).config).toEqual(fromFile);
      expect(load({}, { flags: { [path]: text } }).config).toEqual(fromFile);
    }
  });

  it('take a UTF-8 byte order mark', () => {
    expect(load({ 'agent.json': '\ufeff{"log": {"level": "warn"}}' }).config.log.level).toBe('warn');
  });
});

describe('two configurations', () => {
  it('share nothing that one could change for the other', () => {
    const [first, second] = [load({}), load({})];
    (first.config.exclude.ports as number[]).push(1);
    (first.config.host.labels as Record<string, string>)['a'] = 'b';
    expect(second.config.exclude.ports).toEqual([]);
    expect(load({}).config.host.labels).toEqual({});
  });
});

it('never throws, whatever a document holds', () => {
  const part = fc.oneof(
    fc.constantFrom(
      'sink',
      'kafka',
      'brokers',
      'batch',
      'max_events',
      'host',
      'labels',
      'constructor',
      '__proto__',
    ),
    fc.string({ unit: 'binary' }),
  );
  const { document } = fc.letrec((tie) => ({
    document: fc.dictionary(part, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    value: fc.oneof({ maxDepth: 5 }, fc.jsonValue({ maxDepth: 1 }), tie('document')),
  }));
  const file = join(makeFiles({ 'agent.json': {} }), 'agent.json');
  fc.assert(
    fc.property(document, (embedded) => {
      const result = loadConfig({ file, environment: {}, flags: {}, embedded: embedded as object });
      for (const problem of result.ok ? [] : result.problems)
        expect(formatProblem(problem)).not.toMatch(/\p{Cc}/u);
    }),
    { numRuns: 1000 },
  );
});
