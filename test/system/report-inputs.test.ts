/** `ktc report` gives the same report of the same events, wherever they are read. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Summary } from '../../src/report/summary.ts';
import { KTC } from '../support/agent.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';

const RECORDING = join(import.meta.dirname, '../recordings/module-6.1.ktcrec');
const directory = mkdtempSync(join(tmpdir(), 'ktc-report-inputs-'));
afterAll(() => rmSync(directory, { recursive: true }));

const ktc = (...words: string[]) =>
  execFileSync(KTC, words, { maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });

/** What a report says, without when and of what it was made. */
function saidOf(
  json: string | Buffer,
): Omit<Summary, 'generated_at' | 'input'> & { readonly events: number } {
  const { generated_at: _when, input, ...rest } = JSON.parse(json.toString()) as Summary;
  return { ...rest, events: input.events };
}

const events = ktc('replay', '--json', RECORDING);
const file = join(directory, 'events.ndjson');
writeFileSync(file, events);
const expected = saidOf(ktc('report', '--json', file));
/** As messages write a time: to the second. */
const timeOf = (end: 'from' | 'to') => expected.period[end].slice(0, 19).replace('T', ' ');

describe('the same report is made of', () => {
  it('a file, and there is something in it', () => {
    expect(expected.events).toBe(events.toString().trim().split('\n').length);
    expect(expected.total['retransmits']).toBeGreaterThan(0);
  });

  it.each([
    ['gzip', gzipSync],
    [
      'several members of gzip',
      (bytes: Buffer) => Buffer.concat([gzipSync(bytes.subarray(0, 1000)), gzipSync(bytes.subarray(1000))]),
    ],
    ['zstd', zstdCompressSync],
  ])('a file compressed with %s', (name, compress) => {
    const compressed = join(directory, name);
    writeFileSync(compressed, compress(events));
    expect(saidOf(ktc('report', '--json', compressed))).toEqual(expected);
  });

  it.each([[['--json']], [['--json', '-']]])('standard input: %j', (words) => {
    const { stdout, status } = spawnSync(KTC, ['report', ...words], {
      input: gzipSync(events),
      maxBuffer: 1 << 28,
    });
    expect(status).toBe(0);
    expect(saidOf(stdout)).toEqual(expected);
  });

  it('a recording, and several files with the same events', () => {
    expect(saidOf(ktc('report', '--json', RECORDING))).toEqual(expected);
    expect(saidOf(ktc('report', '--json', file, RECORDING))).toEqual(expected);
  });

  it('the directory of a spool', () => {
    const spool = join(directory, 'spool');
    mkdirSync(spool, { mode: 0o700 });
    const config = join(directory, 'spool.json');
    const otlp = { enabled: true, endpoint: 'http://127.0.0.1:1' };
    writeFileSync(
      config,
      JSON.stringify({
        ...{
          spool: { directory: spool },
          sink: { otlp },
          shutdown: { timeout_s: 1 },
          dead_letter: { path: '' },
        },
        ...{
          telemetry: { http: { enabled: false } },
          log: { level: 'error' },
          host_status: { interval_s: 0 },
        },
      }),
    );
    ktc('replay', '--config', config, '--set', 'spool.enabled=true', RECORDING);
    expect(saidOf(ktc('report', '--json', spool))).toEqual(expected);
  });

  it('nothing of what is not there, empty, or of another time: one line says why', () => {
    const written = (name: string, text: string): string => {
      const path = join(directory, name);
      writeFileSync(path, text);
      return path;
    };
    const empty = written('empty.ndjson', '');
    const half = written('half.ndjson', '{"schema_version":1,"event_id":"5289');
    const nothing = join(directory, 'nothing');
    mkdirSync(nothing, { recursive: true });
    for (const [words, status, problem] of [
      [[join(directory, 'no-file')], 69, `there is no file ${directory}/no-file`],
      [[empty], 65, `${empty}: no event to report on`],
      [[half], 65, `${half}: the only line is no event; a report reads NDJSON of ktc, recordings and spools`],
      [[nothing], 65, `spool ${nothing}: no event to report on`],
      [[directory], 65, `${directory} is no spool, and has NDJSON: name the files in it`],
      [
        ['--since', '2099-01-01', file],
        65,
        `${file}: ${expected.events.toLocaleString('en')} events from ${timeOf('from')} to ${timeOf('to')} UTC, none of them within --since and --until`,
      ],
    ] as const) {
      const result = spawnSync(KTC, ['report', '--json', ...words], { encoding: 'utf8' });
      expect(result).toMatchObject({ status, stdout: '', stderr: `ktc: ${problem}\n` });
    }
  });

  it('what can be read of a file whose last line is cut, and it is said', () => {
    const cut = join(directory, 'cut.ndjson');
    writeFileSync(cut, events.subarray(0, events.length - 30));
    const { input, headlines } = JSON.parse(ktc('report', '--json', cut).toString()) as Summary;
    expect(input).toMatchObject({ events: expected.events - 1, malformed: 1 });
    expect(headlines.map(({ text }) => text)).toContain('Not used: 1 line that is no event.');
  });

  it('nothing of a recording that is no file, or damaged', () => {
    const piped = spawnSync(KTC, ['report', '--json'], { input: ktc('report', '--help') });
    expect(piped.status).toBe(65);
    const damaged = join(directory, 'damaged.ktcrec');
    writeFileSync(damaged, gzipSync(Buffer.from([1, 0, 0, 0, 255, 255, 255, 255, 0])));
    const result = spawnSync(KTC, ['report', '--json', damaged], { encoding: 'utf8' });
    expect(result).toMatchObject({ status: 65, stdout: '' });
    expect(result.stderr).toContain(damaged);
  });
});

const missing = whyNoKafka();
if (missing) console.warn(`skipped: a topic as input of ktc report: ${missing}`);

describe.skipIf(missing)('a topic of Kafka', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker();
  });
  afterAll(() => broker?.stop());

  const report = (...words: string[]) =>
    spawnSync(KTC, ['report', '--json', '--brokers', broker.address, ...words], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });

  it.each([
    ['json', 'gzip'],
    ['ndjson', 'zstd'],
    ['ndjson', 'none'],
  ])(
    'with messages of %s, %s, gives the same report, also of a range of time',
    async (format, compression) => {
      const topic = `report-${format}-${compression}`;
      await broker.createTopic(topic, 3);
      const kafka = { enabled: true, brokers: [broker.address], topic, format, compression };
      const config = join(directory, `${topic}.json`);
      writeFileSync(
        config,
        JSON.stringify({
          ...{ sink: { kafka }, dead_letter: { path: '' }, telemetry: { http: { enabled: false } } },
          ...{ log: { level: 'error' }, host_status: { interval_s: 0 } },
        }),
      );
      // Twice, as after a restart: nothing doubles.
      for (const _ of [1, 2]) ktc('replay', '--config', config, RECORDING);
      const { stdout, stderr, status } = report('--topic', topic);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(saidOf(stdout)).toEqual(expected);
      expect((JSON.parse(stdout) as Summary).input.duplicates).toBe(expected.events);
      const from = new Date(Date.parse(expected.period.from) + 1000).toISOString();
      const words = ['--since', from, '--until', expected.period.to];
      expect(saidOf(report('--topic', topic, ...words).stdout)).toEqual(
        saidOf(ktc('report', '--json', ...words, file)),
      );
    },
  );

  it('that is not there, or a broker that is not, is told in one line', () => {
    const absent = report('--topic', 'nowhere');
    expect(absent).toMatchObject({ status: 69, stdout: '' });
    expect(absent.stderr).toMatch(/^ktc: Kafka topic "nowhere" does not exist/);
    const refused = spawnSync(KTC, ['report', '--topic', 't', '--brokers', '127.0.0.1:1'], {
      encoding: 'utf8',
    });
    expect(refused).toMatchObject({ status: 69, stdout: '' });
    expect(refused.stderr.trim().split('\n')).toHaveLength(1);
  });
});
