/** A thousand agents and three brokers, of which one is killed and comes back: what the agents and the brokers need for it. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Cluster, NODE_IDS, startCluster } from '../test/support/kafka.ts';
import { startSimulatedFleet } from '../test/support/simulated-fleet/fleet.ts';
import type { WorkerReport } from '../test/support/simulated-fleet/worker.ts';
import type { FleetFigures } from './fleet/figures.ts';
import { scalePage } from './fleet/scale-page.ts';
import { cpuSeconds } from './process.ts';
import { type Bench, figure, machine, type Report } from './report.ts';

const TOPIC = 'fleet';
const PARTITIONS = 12;
const PAGE = join(import.meta.dirname, '../docs/scale.md');
const MIB = 2 ** 20;

interface Shape {
  readonly hosts: number;
  readonly processes: number;
  readonly recordsPerSecond: number;
  readonly lingerMs: number;
  /** How long is measured, and how long the killed broker is away at least. */
  readonly seconds: number;
}

const FULL: Shape = { hosts: 1000, processes: 4, recordsPerSecond: 3, lingerMs: 2000, seconds: 60 };
const QUICK: Shape = { hosts: 100, processes: 2, recordsPerSecond: 5, lingerMs: 1000, seconds: 5 };

/** What the brokers hold and have used so far. */
interface Load {
  readonly connections: number;
  readonly bytes: number;
  readonly cpuSeconds: number;
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

function loadOf({ brokers, nodes }: Cluster): Load {
  const pids = NODE_IDS.flatMap((id) => nodes[id].pid() ?? []);
  const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
  const connections = brokers.map((broker) => {
    const port = broker.split(':')[1] ?? '';
    const filter = ['state', 'established', 'sport', '=', `:${port}`];
    return execFileSync('ss', ['-Htn', ...filter], { encoding: 'utf8' })
      .split('\n')
      .filter(Boolean).length;
  });
  return {
    connections: sum(connections),
    bytes: sum(pids.map(residentBytes)),
    cpuSeconds: sum(pids.map(cpuSeconds)),
  };
}

const total = (reports: readonly WorkerReport[], of: Exclude<keyof WorkerReport, 'imbalances'>): number =>
  reports.reduce((sum, { [of]: value }) => sum + value, 0);

async function measure(shape: Shape): Promise<FleetFigures> {
  const { hosts, seconds } = shape;
  const cluster = await startCluster();
  try {
    await cluster.create(TOPIC, PARTITIONS);
    const idle = loadOf(cluster);
    const fleet = await startSimulatedFleet({ ...shape, brokers: cluster.brokers, topic: TOPIC });
    try {
      const [before, began, loadBefore] = [await fleet.report(), performance.now(), loadOf(cluster)];
      await delay(seconds * 1000);
      const [after, ended, loadAfter] = [await fleet.report(), performance.now(), loadOf(cluster)];

      const victim = await cluster.leaderOf(TOPIC, 0);
      await cluster.nodes[victim].kill();
      await delay((seconds * 1000) / 4);
      await cluster.nodes[victim].start();
      await delay((seconds * 1000) / 4);
      const last = await fleet.stop();
      for (let partition = 0; partition < PARTITIONS; partition++) await cluster.inSync(TOPIC, partition);

      const counted = await cluster.account(TOPIC);
      const emitted = total(last, 'emitted');
      const wrong = last.flatMap(({ imbalances }) => imbalances);
      if (wrong.length > 0) throw new Error(wrong.join('; '));
      const events = total(after, 'delivered') - total(before, 'delivered');
      return {
        ...{ hosts, seconds: (ended - began) / 1000, events, emitted },
        lingerMs: shape.lingerMs,
        missing: emitted - counted.unique,
        repeated: counted.doubled + counted.changed.length,
        agentCpuSeconds: total(after, 'cpuSeconds') - total(before, 'cpuSeconds'),
        agentBytes: (total(after, 'bytes') - total(after, 'bytesBefore')) / hosts,
        connections: loadAfter.connections - idle.connections,
        brokerCpuSeconds: loadAfter.cpuSeconds - loadBefore.cpuSeconds,
        brokerBytesIdle: idle.bytes,
        brokerBytes: loadAfter.bytes,
        // Each of the three has all of it.
        logBytesPerEvent: cluster.nodes[1].bytesOf(TOPIC) / emitted,
      };
    } finally {
      fleet.kill();
    }
  } finally {
    await cluster.stop();
  }
}

function reportOf(figures: FleetFigures): Report {
  const { hosts, events, seconds, emitted, missing, repeated } = figures;
  const row = (what: string, value: number, unit: string) => [what, `${figure(value)} ${unit}`];
  const missed = missing + repeated;
  return {
    tables: [
      {
        title: 'A fleet',
        script: 'bench/fleet.ts',
        columns: [`${hosts.toLocaleString('en')} agents, three brokers`, 'measured'],
        rows: [
          row('events', events / seconds, 'per second'),
          row('CPU of all agents', (figures.agentCpuSeconds * 1e6) / events, 'µs per event'),
          row('memory of an agent, beside the program itself', figures.agentBytes / MIB, 'MiB'),
          row('connections of an agent', figures.connections / hosts, ''),
          row('CPU of all brokers', (figures.brokerCpuSeconds * 1e6) / events, 'µs per event'),
          row('memory of all brokers, before the agents came', figures.brokerBytesIdle / MIB, 'MiB'),
          row('memory of all brokers', figures.brokerBytes / MIB, 'MiB'),
          row('the log of one replica', figures.logBytesPerEvent, 'bytes per event'),
          row('events that kcat counted, a broker killed among them', emitted - missing, ''),
          row('missing', missing, 'events'),
          row('more than once, or changed', repeated, 'events'),
        ],
        notes: [
          `The agents are many to a process, with the pipeline and the Kafka client of \`ktc run\`; their records are those of a recording, a round every ${figures.lingerMs / 1000} s. Brokers and agents share this machine, and the brokers run with the quick compiler only.`,
        ],
      },
    ],
    bars: [
      { what: 'fleet: missing or more than once, a broker killed', value: missed, limit: 0, unit: 'events' },
    ],
  };
}

export const fleet: Bench = async (quick) => {
  const where = machine();
  const figures = await measure(quick ? QUICK : FULL);
  if (!quick) writeFileSync(PAGE, scalePage(figures, where));
  return reportOf(figures);
};
