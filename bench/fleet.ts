/** A thousand agents and three brokers, of which one is killed and comes back: what the agents and the brokers need for it. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Cluster, NODE_IDS, startCluster } from '../test/support/kafka.ts';
import { memoryOf } from '../test/support/memory.ts';
import { startSimulatedFleet } from '../test/support/simulated-fleet/fleet.ts';
import type { WorkerReport } from '../test/support/simulated-fleet/worker.ts';
import type { FleetFigures } from './fleet/figures.ts';
import { measuredTable, scalePage } from './fleet/scale-page.ts';
import { cpuSeconds } from './process.ts';
import { type Bench, machine } from './report.ts';

const TOPIC = 'fleet';
const PARTITIONS = 12;
const PAGE = join(import.meta.dirname, '../docs/scale.md');

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
    bytes: sum(pids.map((pid) => memoryOf(pid, 'VmRSS'))),
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

export const fleet: Bench = async (quick) => {
  const where = machine();
  const figures = await measure(quick ? QUICK : FULL);
  if (!quick) writeFileSync(PAGE, scalePage(figures, where));
  return {
    tables: [{ ...measuredTable(figures), title: 'A fleet' }],
    bars: [
      {
        what: 'fleet: missing or more than once, a broker killed',
        value: figures.missing + figures.repeated,
        limit: 0,
        unit: 'events',
      },
    ],
  };
};
