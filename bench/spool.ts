/** What the spool on disk adds to the way from the kernel to Kafka. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startAgent } from '../test/support/agent.ts';
import { fillSpool } from '../test/support/fill-spool.ts';
import { startBroker } from '../test/support/kafka.ts';
import { memoryOf } from '../test/support/memory.ts';
import { until } from '../test/support/wait.ts';
import { type AgentRun, runAgent } from './agent.ts';
import { probesOf } from './probes.ts';
import { type Bench, figure, median, spread } from './report.ts';

const PER_SECOND = 10_000;
const PARTITIONS = 6;
const WAYS = ['memory', 'spool'] as const;
type Way = (typeof WAYS)[number];

const perEvent = ({ cpuSeconds, events }: AgentRun): number => (cpuSeconds * 1e6) / events;
const mebibytes = ({ peakBytes }: AgentRun): number => peakBytes / 2 ** 20;

const FULL_BYTES = 2 ** 28;

interface Start {
  readonly milliseconds: number;
  readonly peakBytes: number;
}

/** Starts an agent whose sink is not there, and kills it a second later. */
async function measureStart(directory: string): Promise<Start> {
  const began = performance.now();
  const agent = await startAgent({
    awaitReady: false,
    config: {
      source: { probes: probesOf('steady') },
      spool: { enabled: true, directory, max_bytes: 2 * FULL_BYTES },
      sink: { otlp: { enabled: true, endpoint: 'http://127.0.0.1:1' } },
    },
  });
  try {
    // It is not ready without its sink; its endpoint is open when all the rest is.
    await until(() => agent.log().includes('telemetry endpoint is open'), 'the agent to run', {
      pauseMs: 10,
    });
    const milliseconds = performance.now() - began;
    await delay(1_000);
    return { milliseconds, peakBytes: memoryOf(agent.pid, 'VmHWM') };
  } finally {
    await agent.stop('SIGKILL');
  }
}

async function measureStarts(): Promise<Readonly<Record<'empty' | 'full', Start>>> {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-bench-spool-'));
  try {
    const empty = await measureStart(directory);
    await fillSpool({ directory, sink: 'otlp', bytes: FULL_BYTES });
    return { empty, full: await measureStart(directory) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export const spool: Bench = async (quick) => {
  const [rounds, seconds] = quick ? [1, 2] : [3, 10];
  const runs: Record<Way, AgentRun[]> = { memory: [], spool: [] };
  const data = mkdtempSync('/dev/shm/ktc-bench-');
  const broker = await startBroker({ dataDirectory: data });
  try {
    for (let round = 0; round < rounds; round++) {
      for (const way of WAYS) {
        const topic = `${way}-${round}`;
        await broker.create(topic, PARTITIONS);
        // On a real disk, as on a host.
        const directory = mkdtempSync(join(tmpdir(), 'ktc-bench-spool-'));
        const sink = { brokers: [broker.address], topic };
        const more = { spool: { enabled: way === 'spool', directory } };
        runs[way].push(await runAgent('kafka', sink, PER_SECOND, seconds, more));
        rmSync(directory, { recursive: true });
      }
    }
  } finally {
    await broker.stop();
    rmSync(data, { recursive: true });
  }
  const { empty, full } = await measureStarts();
  const cost = (way: Way) => runs[way].map(perEvent);
  const all = [...runs.memory, ...runs.spool];
  const at = `at ${PER_SECOND.toLocaleString('en')} events/s`;
  return {
    tables: [
      {
        title: 'The spool on disk',
        script: 'bench/spool.ts',
        columns: ['events wait', 'CPU µs per event', 'peak RSS MiB'],
        rows: [
          ['in memory', spread(cost('memory')), spread(runs.memory.map(mebibytes))],
          ['on disk', spread(cost('spool')), spread(runs.spool.map(mebibytes))],
        ],
        notes: [
          `The agent runs with its defaults, from kernel to Kafka, ${at}: ${rounds} runs of ${seconds} s each, in turns. The spool is on ${tmpdir()} and is forced to the disk once per second.`,
          `A start with ${FULL_BYTES / 2 ** 20} MiB in the spool takes ${figure(full.milliseconds)} ms and ${figure(full.peakBytes / 2 ** 20)} MiB, with an empty one ${figure(empty.milliseconds)} ms and ${figure(empty.peakBytes / 2 ** 20)} MiB.`,
        ],
      },
    ],
    bars: [
      {
        what: 'CPU per event with the spool, relative to without',
        value: median(cost('spool')) / median(cost('memory')),
        limit: 1.3,
        unit: '×',
      },
      {
        what: `kernel to Kafka with the spool, CPU per event, ${at}`,
        value: median(cost('spool')),
        limit: 10,
        unit: 'µs',
      },
      {
        what: `peak RSS with the spool, ${at}`,
        value: median(runs.spool.map(mebibytes)),
        limit: 120,
        unit: 'MiB',
      },
      {
        what: 'memory of a start with 256 MiB in the spool, more than with an empty one',
        value: (full.peakBytes - empty.peakBytes) / 1e6,
        limit: 20,
        unit: 'MB',
      },
      {
        what: 'time of a start with 256 MiB in the spool, more than with an empty one',
        value: full.milliseconds - empty.milliseconds,
        limit: 2_000,
        unit: 'ms',
      },
      {
        what: 'lost, with and without the spool',
        value: all.reduce((sum, { lost }) => sum + lost, 0),
        limit: 0,
        unit: 'events',
      },
    ],
  };
};
