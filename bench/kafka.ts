/** From the kernel to acknowledged Kafka records: the agent, and other shippers with the same events. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Broker, startBroker } from '../test/support/kafka.ts';
import { type AgentRun, measuredSeconds, runAgent } from './agent.ts';
import {
  type Lines,
  runShipper,
  type ShipperRun,
  type StartShipper,
  startKcat,
  startRsyslog,
} from './kafka/shipper.ts';
import { quantile, readTopic, type TopicContent } from './kafka/topic.ts';
import { type Bar, type Bench, figure } from './report.ts';

/** Events per second, and the most that an event may cost then, relative to rsyslog. */
const RELATIVE_LIMITS = new Map([
  [1_000, 0.6],
  [10_000, 0.45],
  [50_000, 0.4],
]);
const RATES = [...RELATIVE_LIMITS.keys()];
const PARTITIONS = 6;
const RSYSLOG = 'rsyslog, imfile → omkafka';
const SHIPPERS: readonly (readonly [name: string, start: StartShipper])[] = [
  [RSYSLOG, startRsyslog],
  ['kcat -P -z gzip', startKcat],
];

/** The first one's events are what the other shippers get. */
const AGENTS = [
  { name: 'KTC agent, kernel → Kafka', settings: {}, limit: 10 },
  { name: 'the same, zstd', settings: { compression: 'zstd' }, limit: 10 },
  { name: 'the same, packed', settings: { format: 'ndjson' }, limit: 4 },
  { name: 'the same, packed, zstd', settings: { format: 'ndjson', compression: 'zstd' }, limit: 4 },
] as const;
type Variant = (typeof AGENTS)[number];

interface Measured {
  readonly variant: Variant;
  readonly run: AgentRun;
  readonly topic: TopicContent;
}

interface Result {
  readonly perSecond: number;
  readonly agents: readonly Measured[];
  readonly others: readonly (readonly [name: string, run: ShipperRun])[];
}

async function measure(broker: Broker, perSecond: number, seconds: number): Promise<Result> {
  const createTopic = async (name: string): Promise<string> => {
    const topic = `${name}-${perSecond}`;
    await broker.createTopic(topic, PARTITIONS, { 'message.timestamp.type': 'LogAppendTime' });
    return topic;
  };
  // In memory: reading the file back must not cost a disk.
  const directory = mkdtempSync('/dev/shm/ktc-bench-');
  try {
    const agents: Measured[] = [];
    for (const [index, variant] of AGENTS.entries()) {
      const name = await createTopic(`agent-${index}`);
      const sink = { brokers: [broker.address], topic: name, ...variant.settings };
      const run = await runAgent('kafka', sink, perSecond, seconds);
      agents.push({
        variant,
        run,
        topic: await readTopic(broker, name, join(directory, `${index}`), run.since),
      });
    }
    const { bytes = 0, events = 0 } = agents[0]?.topic ?? {};
    const lines: Lines = { path: join(directory, '0'), bytes, events };
    const others: [string, ShipperRun][] = [];
    for (const [index, [shipper, start]] of SHIPPERS.entries()) {
      const duration = events / perSecond;
      others.push([
        shipper,
        await runShipper(start, broker, await createTopic(`shipper-${index}`), lines, duration),
      ]);
    }
    return { perSecond, agents, others };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const perEvent = (cpuSeconds: number, events: number): number => (cpuSeconds * 1e6) / events;
const mebibytes = (bytes: number): number => bytes / 2 ** 20;

function lostOf({ run, topic }: Measured): number {
  return run.lost + run.delivered - topic.total;
}

function rowsOf({ perSecond, agents, others }: Result): string[][] {
  const count = (events: number): string => events.toLocaleString('en');
  return [
    ...agents.map(({ variant, run, topic }) => [
      count(perSecond),
      variant.name,
      count(Math.round(run.perSecond)),
      count(topic.events),
      figure(perEvent(run.cpuSeconds, run.events)),
      `${Math.round(mebibytes(run.peakBytes))}`,
      `${quantile(topic.latencies, 0.5)} / ${quantile(topic.latencies, 0.99)}`,
      count(lostOf({ variant, run, topic })),
    ]),
    ...others.map(([name, { cpuSeconds, events, peakBytes, delivered }]) => [
      count(perSecond),
      name,
      count(perSecond),
      count(delivered),
      figure(perEvent(cpuSeconds, events)),
      `${Math.round(mebibytes(peakBytes))}`,
      '',
      count((agents[0]?.topic.events ?? 0) - delivered),
    ]),
  ];
}

function barsOf({ perSecond, agents, others }: Result): Bar[] {
  const at = `at ${perSecond.toLocaleString('en')} events/s`;
  const rsyslog = others.find(([name]) => name === RSYSLOG)?.[1];
  return agents.flatMap(({ variant, run, topic }) => {
    const what = variant.name.replace('the same', 'agent').replace('KTC agent, kernel → Kafka', 'agent');
    const cost = perEvent(run.cpuSeconds, run.events);
    return [
      {
        what: `${what}: kernel to Kafka, CPU per event, ${at}`,
        value: cost,
        limit: variant.limit,
        unit: 'µs',
      },
      ...(rsyslog === undefined
        ? []
        : [
            {
              what: `${what}: the same, relative to rsyslog, ${at}`,
              value: cost / perEvent(rsyslog.cpuSeconds, rsyslog.events),
              limit: RELATIVE_LIMITS.get(perSecond) ?? 1,
              unit: '×',
            },
          ]),
      ...(perSecond === 10_000
        ? [{ what: `${what}: peak memory ${at}`, value: run.peakBytes / 1e6, limit: 95, unit: 'MB' }]
        : []),
      {
        what: `${what}: 99th percentile of the delay, ${at}`,
        value: quantile(topic.latencies, 0.99),
        limit: 250,
        unit: 'ms',
      },
      { what: `${what}: lost ${at}`, value: lostOf({ variant, run, topic }), limit: 0, unit: 'events' },
    ];
  });
}

export const kafka: Bench = async (quick) => {
  const broker = await startBroker();
  try {
    const results: Result[] = [];
    for (const rate of quick ? RATES.slice(0, 1) : RATES) {
      results.push(await measure(broker, rate, measuredSeconds(rate, quick)));
    }
    return {
      tables: [
        {
          title: 'Kernel to Kafka, acknowledged',
          script: 'bench/kafka.ts',
          columns: [
            'events/s asked',
            '',
            'events/s',
            'events acknowledged',
            'CPU µs per event',
            'peak RSS MiB',
            'p50 / p99 ms',
            'lost',
          ],
          rows: results.flatMap(rowsOf),
          notes: [
            `Setup: one broker on this machine, ${PARTITIONS} partitions, acks=all, gzip level 1 unless the row says zstd, linger 240 ms for all. "Packed" is sink.kafka.format ndjson, up to 500 events per message. The agent runs with its defaults, except for a kernel buffer of 16 MiB per CPU and a filter that leaves out other programs. It traces real connections over loopback. It is measured for ${RATES.map((rate) => measuredSeconds(rate, quick)).join(', ')} s (by rate), after 12 s of warm-up at 10,000 events/s, 60 s at 1,000 and 15 s at the rate, in which V8 compiles: in the first five seconds an event costs twice as much, in the first minute at 1,000 events/s a third more. Peak RSS includes the warm-up. rsyslog and kcat get the same events as lines, at the same rate, and only forward them to Kafka.`,
            "CPU is user and system time of the whole process until the last acknowledgement. The delay (p50 / p99) is measured by kcat for every event, from the kernel's timestamp to the broker's append time, which come from the same clock. Lost is what the agent's ledger counts as lost plus what kcat does not find in the topic.",
            'At 1,000 events/s much of the cost is waking up: four rounds of reading per second, each with one request. bench/idle.ts measures what a wake-up costs on this machine.',
          ],
        },
      ],
      bars: results.flatMap(barsOf),
    };
  } finally {
    await broker.stop();
  }
};
