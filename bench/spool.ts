/** What the spool on disk adds to the way from the kernel to Kafka. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBroker } from '../test/support/kafka.ts';
import { type AgentRun, runAgent } from './agent.ts';
import { type Bench, median, spread } from './report.ts';

const PER_SECOND = 10_000;
const PARTITIONS = 6;
const WAYS = ['memory', 'spool'] as const;
type Way = (typeof WAYS)[number];

const perEvent = ({ cpuSeconds, events }: AgentRun): number => (cpuSeconds * 1e6) / events;
const mebibytes = ({ peakBytes }: AgentRun): number => peakBytes / 2 ** 20;

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
  const cost = (way: Way) => runs[way].map(perEvent);
  const all = [...runs.memory, ...runs.spool];
  const at = `at ${PER_SECOND.toLocaleString('en')} events/s`;
  return {
    tables: [
      {
        title: 'The spool on disk',
        script: 'bench/spool.ts',
        columns: ['events wait', 'CPU µs an event', 'peak RSS MiB'],
        rows: [
          ['in memory', spread(cost('memory')), spread(runs.memory.map(mebibytes))],
          ['on disk', spread(cost('spool')), spread(runs.spool.map(mebibytes))],
        ],
        notes: [
          `The agent with its defaults, kernel to Kafka, ${at}, ${rounds} runs of ${seconds} s each, in turns; the spool on ${tmpdir()}, forced to the disk once a second.`,
        ],
      },
    ],
    bars: [
      {
        what: 'CPU an event with the spool, against without',
        value: median(cost('spool')) / median(cost('memory')),
        limit: 1.3,
        unit: '×',
      },
      {
        what: `kernel to Kafka with the spool, an event, ${at}`,
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
        what: 'lost, with and without the spool',
        value: all.reduce((sum, { lost }) => sum + lost, 0),
        limit: 0,
        unit: 'events',
      },
    ],
  };
};
