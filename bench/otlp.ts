/**
 * From the kernel to an acknowledging OpenTelemetry Collector, what rsyslog takes to bring such events to Kafka, and what
 * OpenTelemetry's own SDK takes for the same.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { NODE_FLAGS } from '../scripts/bundle.ts';
import { KTC } from '../test/support/agent.ts';
import { type Collector, startCollector } from '../test/support/collector.ts';
import { startBroker } from '../test/support/kafka.ts';
import { type AgentRun, measuredSeconds, runAgent } from './agent.ts';
import { runShipper, type ShipperRun, startRsyslog } from './kafka/shipper.ts';
import type { ShipperReport } from './otlp/shipper.ts';
import { type Bench, figure, median, spread } from './report.ts';

const RUNS: readonly (readonly [protocol: string, perSecond: number])[] = [
  ['http/protobuf', 1_000],
  ['http/protobuf', 10_000],
  ['grpc', 10_000],
  ['http/json', 10_000],
];
/** At which rsyslog is measured too. */
const COMPARED_RATE = 1_000;
const RECORDING = join(import.meta.dirname, '../test/recordings/module-6.1.ktcrec');
const PARTITIONS = 6;
const execute = promisify(execFile);
const SHIPPER = join(import.meta.dirname, 'otlp/shipper.ts');
const perEvent = (cpuSeconds: number, events: number): number => (cpuSeconds * 1e6) / events;

interface AgentResult {
  readonly protocol: string;
  readonly perSecond: number;
  readonly run: AgentRun;
  /** Distinct ids in the collector's file. */
  readonly collected: number;
}

async function withCollector<Result>(use: (collector: Collector) => Promise<Result>): Promise<Result> {
  const collector = await startCollector();
  try {
    return await use(collector);
  } finally {
    await collector.remove();
  }
}

function measureAgent(protocol: string, perSecond: number, seconds: number): Promise<AgentResult> {
  return withCollector(async (collector) => {
    const endpoint = protocol === 'grpc' ? collector.grpcEndpoint : collector.httpEndpoint;
    const run = await runAgent('otlp', { protocol, endpoint }, perSecond, seconds);
    return { protocol, perSecond, run, collected: (await collector.account()).unique };
  });
}

/** Gives `use` a file of recorded events, one a line: so many copies of the recording. In memory, so that no disk counts. */
async function withEvents<Result>(
  copies: number,
  use: (file: string, lines: string) => Promise<Result>,
): Promise<Result> {
  const directory = mkdtempSync('/dev/shm/ktc-bench-');
  try {
    const { stdout } = await execute(KTC, ['replay', '--json', RECORDING], { maxBuffer: 2 ** 28 });
    const file = join(directory, 'events.ndjson');
    const lines = stdout.repeat(copies);
    writeFileSync(file, lines);
    return await use(file, lines);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** rsyslog, which brings recorded events to Kafka at the compared rate. */
async function measureRsyslog(file: string, text: string, seconds: number): Promise<ShipperRun> {
  const lines = text.split('\n').slice(0, COMPARED_RATE * seconds);
  const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
  const broker = await startBroker();
  try {
    await broker.createTopic('rsyslog', PARTITIONS);
    const given = { path: file, bytes, events: lines.length };
    return await runShipper(startRsyslog, broker, 'rsyslog', given, seconds);
  } finally {
    await broker.stop();
  }
}

/** CPU µs per event of each, in turns. */
async function measureShippers(file: string, rounds: number): Promise<{ sink: number[]; sdk: number[] }> {
  const found = { sink: [] as number[], sdk: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    for (const way of ['sink', 'sdk'] as const) {
      await withCollector(async ({ httpEndpoint }) => {
        const node = ['--no-warnings', ...NODE_FLAGS, SHIPPER, way, file, httpEndpoint];
        const report = JSON.parse((await execute(process.execPath, node)).stdout) as ShipperReport;
        found[way].push(perEvent(report.cpuSeconds, report.events));
      });
    }
  }
  return found;
}

export const otlp: Bench = async (quick) => {
  const results: AgentResult[] = [];
  for (const [protocol, perSecond] of quick ? RUNS.slice(0, 1) : RUNS) {
    results.push(await measureAgent(protocol, perSecond, measuredSeconds(perSecond, quick)));
  }
  const compared = results.find(({ perSecond }) => perSecond === COMPARED_RATE)?.run;
  if (compared === undefined) throw new Error('the agent was not measured at the rate of rsyslog');
  const { rsyslog, sink, sdk } = await withEvents(quick ? 5 : 30, async (file, lines) => ({
    rsyslog: await measureRsyslog(file, lines, measuredSeconds(COMPARED_RATE, quick)),
    ...(await measureShippers(file, quick ? 1 : 3)),
  }));
  const lost = ({ run, collected }: AgentResult) => run.lost + run.delivered - collected;
  return {
    tables: [
      {
        title: 'Kernel to OpenTelemetry Collector, acknowledged',
        script: 'bench/otlp.ts',
        columns: [
          'protocol',
          'events/s asked',
          'events/s',
          'events acknowledged',
          'CPU µs per event',
          'peak RSS MiB',
          'lost',
        ],
        rows: [
          ...results.map((result) => [
            result.protocol,
            result.perSecond.toLocaleString('en'),
            Math.round(result.run.perSecond).toLocaleString('en'),
            result.run.delivered.toLocaleString('en'),
            figure(perEvent(result.run.cpuSeconds, result.run.events)),
            String(Math.round(result.run.peakBytes / 2 ** 20)),
            lost(result).toLocaleString('en'),
          ]),
          [
            'for comparison: rsyslog, imfile → omkafka',
            COMPARED_RATE.toLocaleString('en'),
            COMPARED_RATE.toLocaleString('en'),
            rsyslog.delivered.toLocaleString('en'),
            figure(perEvent(rsyslog.cpuSeconds, rsyslog.events)),
            String(Math.round(rsyslog.peakBytes / 2 ** 20)),
            (rsyslog.events - rsyslog.delivered).toLocaleString('en'),
          ],
        ],
        notes: [
          `The agent runs with its defaults and gzip level 1. As in bench/kafka.ts, it traces real connections over loopback, for the same time, after the same warm-up. The collector has no queue and writes a file, whose ids are counted. CPU is that of the agent alone; at 1,000 events/s it is mostly the cost of waking up. rsyslog brings recorded events, as lines, to Kafka as in bench/kafka.ts.`,
        ],
      },
      {
        title: "Events to OTLP, compared with OpenTelemetry's SDK",
        script: 'bench/otlp.ts',
        columns: ['', 'CPU µs per event'],
        rows: [
          ['OTLP sink of the agent', spread(sink)],
          ['OpenTelemetry SDK: logger, batch processor, protobuf exporter', spread(sdk)],
        ],
        notes: [
          'Both send the same recorded events to a collector over http/protobuf with gzip, in batches of 500, one batch at a time. CPU is measured from lines of JSON to the acknowledgement. The SDK also needs JSON.parse and the mapping that http/json uses.',
        ],
      },
    ],
    bars: [
      ...results
        .filter(({ protocol }) => protocol === 'http/protobuf')
        .map(({ perSecond, run }) => ({
          what: `kernel to collector, http/protobuf, CPU per event, at ${perSecond.toLocaleString('en')} events/s`,
          value: perEvent(run.cpuSeconds, run.events),
          limit: 15,
          unit: 'µs',
        })),
      {
        what: `the same, relative to rsyslog into Kafka, at ${COMPARED_RATE.toLocaleString('en')} events/s`,
        value: perEvent(compared.cpuSeconds, compared.events) / perEvent(rsyslog.cpuSeconds, rsyslog.events),
        limit: 1,
        unit: '×',
      },
      ...results.map((result) => ({
        what: `lost, ${result.protocol}, at ${result.perSecond.toLocaleString('en')} events/s`,
        value: lost(result),
        limit: 0,
        unit: 'events',
      })),
      {
        what: "OTLP sink, relative to OpenTelemetry's SDK",
        value: median(sink) / median(sdk),
        limit: 1,
        unit: '×',
      },
    ],
  };
};
