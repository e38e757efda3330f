/** A small fleet of simulated hosts and three brokers, one of which is killed. A thousand hosts: bench/fleet.ts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, startCluster, whyNoKafka } from '../support/kafka.ts';
import { type SimulatedFleet, startSimulatedFleet } from '../support/simulated-fleet/fleet.ts';
import { until } from '../support/wait.ts';

const missing = whyNoKafka();
if (missing) console.warn(`skipped: a simulated fleet: ${missing}`);

const TOPIC = 'fleet';
const HOSTS = 20;

describe.skipIf(missing)('a fleet of simulated hosts', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.stop());

  const emittedOf = async (fleet: SimulatedFleet): Promise<number> =>
    (await fleet.report()).reduce((sum, { emitted }) => sum + emitted, 0);

  it('delivers each event once while a broker is killed and comes back', async () => {
    await cluster.restore();
    await cluster.create(TOPIC, 6);
    const { brokers } = cluster;
    const shape = { hosts: HOSTS, processes: 2, recordsPerSecond: 20, lingerMs: 200 };
    const fleet = await startSimulatedFleet({ ...shape, brokers, topic: TOPIC });
    try {
      /** So many events of each host on average, more than there are now. */
      const goOn = async (events: number): Promise<void> => {
        const goal = (await emittedOf(fleet)) + events * HOSTS;
        await until(async () => (await emittedOf(fleet)) >= goal, `${goal} events`);
      };
      await goOn(20);
      const victim = await cluster.leaderOf(TOPIC, 0);
      await cluster.nodes[victim].kill();
      await goOn(40);
      await cluster.nodes[victim].start();
      await goOn(20);
      const reports = await fleet.stop();
      const account = await cluster.account(TOPIC);
      const sum = (of: 'emitted' | 'delivered' | 'lost') => reports.reduce((all, { [of]: n }) => all + n, 0);
      expect(reports.flatMap(({ imbalances }) => imbalances)).toEqual([]);
      expect(sum('lost')).toBe(0);
      expect(sum('delivered')).toBe(sum('emitted'));
      expect(account).toMatchObject({
        events: sum('emitted'),
        unique: sum('emitted'),
        missing: 0,
        changed: [],
      });
    } finally {
      fleet.kill();
    }
  });
});
