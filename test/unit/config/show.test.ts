import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { assert, describe, expect, it } from 'vitest';
import { parseJson } from '../../../src/config/json.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { keys } from '../../../src/config/schema.ts';
import { formatConfigJson } from '../../../src/config/show.ts';
import { makeFiles, runConfig } from './command.ts';

const PASSWORD = 'correct horse battery staple';

function makeSasl(): { directory: string; file: string; password: string } {
  const directory = makeFiles({ 'secret-password': `${PASSWORD}\n` });
  const file = join(directory, 'agent.json');
  const password = join(directory, 'secret-password');
  const sasl = { mechanism: 'plain', username: 'ktc', password_file: password };
  const kafka = { enabled: true, brokers: ['kafka-1:9092'], sasl };
  writeFileSync(file, JSON.stringify({ host: { labels: { rack: 'r1' } }, sink: { kafka } }));
  return { directory, file, password };
}

describe('ktc config show', () => {
  it('prints every key, its value, and the layer that set it, in aligned columns', async () => {
    const { file } = makeSasl();
    const args = ['show', '-c', file, '--set', 'batch.linger_ms=50'];
    const { code, stdout, stderr } = await runConfig(args, { KTC_LOG_LEVEL: 'debug' });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [shownTable = '', hash, ...more] = stdout.split('\n\n');
    expect([hash, more]).toEqual([expect.stringMatching(/^config_hash [0-9a-f]{16}\n$/), []]);
    const [header = '', ...rows] = shownTable.split('\n');
    const columns = [header.indexOf('VALUE'), header.indexOf('SET BY')];
    const cells = rows.map((row) => [row.slice(0, columns[0]), row.slice(...columns), row.slice(columns[1])]);
    const table = new Map(
      cells.map((row) => row.map((cell) => cell.trim())).map(([key, ...rest]) => [key, rest]),
    );
    expect(table.get('batch.linger_ms')).toEqual(['50', '--set']);
    expect(table.get('log.level')).toEqual(['"debug"', 'KTC_LOG_LEVEL']);
    expect(table.get('sink.kafka.brokers')).toEqual(['["kafka-1:9092"]', file]);
    expect(table.get('host.labels.rack')).toEqual(['"r1"', file]);
    expect(table.get('batch.max_events')).toEqual(['1000', 'default']);
    const shown = [...table.keys()].filter((key) => key !== 'sink.kafka.sasl.password');
    expect(shown.map((key) => key?.replace(/^host\.labels\..*/, 'host.labels'))).toEqual([...keys.keys()]);
  });

  it('shows that there is a password, and never the password', async () => {
    const { file, password } = makeSasl();
    const table = await runConfig(['show', '--config', file]);
    expect(table.stdout).toMatch(
      new RegExp(`^sink\\.kafka\\.sasl\\.password +\\[redacted\\] +${password} *$`, 'm'),
    );
    const json = await runConfig(['show', '--json', '--config', file]);
    expect(JSON.parse(json.stdout)).toMatchObject({ secrets: { 'sink.kafka.sasl.password': '[redacted]' } });
    const result = loadConfig({ file, environment: {}, flags: {} });
    assert(result.ok);
    expect(result.value.secrets.kafka?.reveal()).toBe(PASSWORD);
    const traces = [
      table,
      json,
      inspect(result, { depth: 9, showHidden: true }),
      `${result.value.secrets.kafka}`,
    ];
    expect(JSON.stringify([traces, result])).not.toContain('horse');
  });

  it('prints no secret that stands in the wrong place', async () => {
    const { directory, file } = makeSasl();
    const override = join(directory, 'conf.d', '99.json');
    mkdirSync(dirname(override));
    const section = '{"sink": {"kafka": {"sasl": ';
    const wrong = [
      `${section}{"password": "hunter2"}}}}`,
      `${section}{"password_file": "hunter2"}}}}`,
      `${section}{"password_file": "/hunter2"}}}}`,
      `${section}{"password_file": ["hunter2"]}}}}`,
      `${section}{"password_file": "/x" "hunter2"}}}}`,
      `${section}{"password_file": hunter2}}}}`,
    ];
    for (const text of wrong) {
      writeFileSync(override, text);
      for (const command of [['check'], ['show'], ['show', '--json']]) {
        const outcome = await runConfig([...command, '--config', file]);
        expect(outcome).toMatchObject({ code: 78, stdout: '' });
        expect(outcome.stderr).not.toContain('hunter2');
      }
    }
    rmSync(override);
    for (const name of ['PASSWORD', 'PASSWORD_FILE']) {
      const variable = await runConfig(['show', '-c', file], { [`KTC_SINK_KAFKA_SASL_${name}`]: 'hunter2' });
      const flag = `sink.kafka.sasl.${name.toLowerCase()}=hunter2`;
      for (const outcome of [variable, await runConfig(['show', '-c', file, '--set', flag])]) {
        expect(outcome).toMatchObject({ code: 78, stdout: '' });
        expect(outcome.stderr).not.toContain('hunter2');
      }
    }
  });
});

describe('ktc config show --json', () => {
  it('gives a file that --config takes, with the same values', async () => {
    const { directory, file } = makeSasl();
    const shown = JSON.parse(
      (await runConfig(['show', '--json', '-c', file, '--set', 'log.level=warn'])).stdout,
    );
    const copy = join(directory, 'copy.json');
    writeFileSync(copy, JSON.stringify(shown.config));
    const again = JSON.parse((await runConfig(['show', '--json', '-c', copy])).stdout);
    expect(again.config).toEqual(shown.config);
    expect(again.config.log.level).toBe('warn');
    expect(shown.origins).toMatchObject({ 'log.level': '--set', 'host.labels.rack': file });
  });

  it('gives the same configuration back, whatever its values', () => {
    const file = join(makeFiles({ 'agent.json': {} }), 'agent.json');
    const printable = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    const label = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,20}$/);
    const document = fc.record(
      {
        host: fc.record({ name: printable, labels: fc.dictionary(label, printable) }, { requiredKeys: [] }),
        source: fc.record({ buffer_kb: fc.integer({ min: 64, max: 1_048_576 }) }),
        events: fc.record({ tcp_life: fc.boolean(), tcp_state: fc.boolean() }, { requiredKeys: [] }),
        exclude: fc.record({
          addresses: fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('10.0.0.0/8'))),
          ports: fc.array(fc.integer({ min: 1, max: 65_535 })),
        }),
        log: fc.record({ level: fc.constantFrom('trace', 'info', 'silent') }),
      },
      { requiredKeys: [] },
    );
    const load = (embedded: object) => {
      const flags = { 'sink.stdout.enabled': 'true' };
      const result = loadConfig({ file, environment: {}, flags, embedded });
      assert(result.ok, JSON.stringify(result));
      return result.value;
    };
    fc.assert(
      fc.property(document, (embedded) => {
        const first = load(embedded);
        const json = parseJson(formatConfigJson(first));
        assert(json.ok);
        const { config } = json.value as { config: object };
        expect(load(config).config).toEqual(first.config);
        expect(first.config).toMatchObject(embedded);
      }),
      { numRuns: 300 },
    );
  });
});

describe('ktc config', () => {
  it.each([
    [[], 'config needs one of show, check, reference; see ktc config --help'],
    [['shwo'], 'config needs one of show, check, reference; see ktc config --help'],
    [['show', 'check'], 'config needs one of show, check, reference; see ktc config --help'],
    [['check', '--json'], '--json belongs to ktc config show'],
    [['show', '--jsn'], "Unknown option '--jsn'"],
    [['show', '--config'], "Option '-c, --config <value>' argument missing"],
  ])('%j is a usage error', async (args, problem) => {
    expect(await runConfig(args)).toEqual({ code: 64, stdout: '', stderr: `ktc: ${problem}\n` });
  });

  it('prints help', async () => {
    const { code, stdout } = await runConfig(['--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^usage: ktc config show/);
  });
});
