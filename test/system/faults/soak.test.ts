/** The fault matrix, soak: ten minutes of random faults at 5,000 events per second, and memory at 10,000. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imbalances } from '../../../src/ledger/ledger.ts';
import { whyNoAgent } from '../../support/agent.ts';
import {
  NODE_IDS,
  type NodeId,
  type RemoteCluster,
  startRemoteCluster,
  whyNoKafka,
} from '../../support/kafka.ts';
import { memoryOf } from '../../support/memory.ts';
import { until } from '../../support/wait.ts';
import { expectExact, type Load, startLoad, underLoad } from './load.ts';
import { FULL, tellRow } from './row.ts';

const missing = FULL ? (whyNoAgent() ?? whyNoKafka()) : 'make test-faults does it';
if (missing && FULL) console.warn(`skipped: the soak: ${missing}`);

const SOAK_MS = 600_000;
/** The agent is killed in this time only, so that memory can be followed in what is left. */
const KILLS_MS = 180_000;
const PAUSE_MS = 8_000;
/** What an agent takes when it begins to work is no trend. */
const WARM_UP_S = 60;
const MIB = 2 ** 20;
/** Beside what a collection of garbage or a spool that is read moves it by. */
const TREND_LIMIT_MB_PER_HOUR = 150;
const PEAK_LIMIT_MB = 200;

interface Sample {
  /** Seconds. */
  readonly at: number;
  readonly bytes: number;
}

describe.skipIf(missing)('the agent', () => {
  let cluster: RemoteCluster;
  beforeAll(async () => {
    cluster = await startRemoteCluster();
  });
  afterAll(() => cluster?.stop());

  const kafka = (topic: string) => ({
    kafka: {
      ...{ enabled: true, brokers: cluster.brokers, topic },
      ...{ request_timeout_ms: 2_000, delivery_timeout_ms: 20_000 },
    },
  });

  it('takes 10,000 events per second', async () => {
    await cluster.create('quick', 1);
    const options = { sink: kafka('quick'), connectionsPerSecond: 720, namespace: cluster.place.namespace };
    const ending = await underLoad(options, (load) => load.more('kafka', 400_000));
    expectExact('no fault, 10,000 events per second', 'kafka', await cluster.account('quick'), ending);
  });

  it('loses nothing in ten minutes of random faults, and its memory does not grow', {
    timeout: 2 * SOAK_MS,
  }, async () => {
    await cluster.create('soak', 1);
    const load = await startLoad({
      sink: kafka('soak'),
      connectionsPerSecond: 360,
      namespace: cluster.place.namespace,
    });
    const samples: Sample[] = [];
    const watch = setInterval(() => {
      const bytes = residentMemory(load.agent.pid);
      if (bytes !== null) samples.push({ at: performance.now() / 1_000, bytes });
    }, 1_000);
    /** What agents that were killed had in their spool or had delivered. */
    let durable = 0;
    let crashed = 0;
    try {
      const begin = performance.now();
      const faults = faultsOf(cluster, 'soak');
      const names = Object.keys(faults);
      while (performance.now() - begin < SOAK_MS) {
        await load.more('kafka', 1_000);
        await delay(PAUSE_MS);
        const name = names[Math.floor(Math.random() * names.length)] ?? '';
        console.log(`soak: ${Math.round((performance.now() - begin) / 1_000)} s: ${name}`);
        await faults[name]?.(load);
        if (performance.now() - begin < KILLS_MS) {
          const { emitted, sinks } = (await load.agent.status()).ledger;
          durable += emitted - (sinks['kafka']?.queued ?? 0);
          await load.restart();
          crashed += (await load.agent.status()).ledger.lost['crash'] ?? 0;
          samples.length = 0;
        }
      }
      clearInterval(watch);
      const { ledger, peakMemory } = await load.finish();
      const account = await cluster.account('soak');
      const settled = samples.slice(WARM_UP_S);
      const trend = slope(settled) * 3_600;
      tellRow({
        row: 'ten minutes of random faults',
        perSecond: account.unique / ((performance.now() - begin) / 1_000),
        expected: `${durable + ledger.emitted} events or more`,
        found: `${account.unique} events`,
        lost: { ...ledger.lost, ...(crashed > 0 && { crash: crashed }) },
        doubled: account.doubled,
        peakMemory,
        measured: `memory ${(trend / MIB).toFixed(1)} MB/h over the last ${settled.length} s`,
      });
      expect(imbalances(ledger)).toEqual([]);
      const own = ledger.sinks['kafka'];
      expect(own).toMatchObject({ rejected: {}, dropped: {}, queued: 0, spooled: 0, in_flight: 0 });
      expect(own?.delivered).toBe(ledger.emitted + (own?.recovered ?? 0));
      // What was spooled by agents that were killed, and all of the last one's; nothing in between is missing.
      expect(account.missing).toBe(0);
      expect(account.changed).toEqual([]);
      expect(account.unique).toBeGreaterThanOrEqual(durable + ledger.emitted);
      expect(peakMemory / MIB).toBeLessThan(PEAK_LIMIT_MB);
      expect(trend / MIB).toBeLessThan(TREND_LIMIT_MB_PER_HOUR);
    } catch (error) {
      console.log(load.agent.log());
      throw error;
    } finally {
      clearInterval(watch);
      await cluster.place.heal();
      await load.close();
    }
  });
});

/** Each leaves the cluster and the network as they were. */
function faultsOf(
  cluster: RemoteCluster,
  topic: string,
): Readonly<Record<string, (load: Load) => Promise<void>>> {
  const leader = () => cluster.leaderOf(topic, 0);
  const whole = () => cluster.inSync(topic, 0);
  const others = async (): Promise<NodeId[]> => {
    const leading = await leader();
    return NODE_IDS.filter((id) => id !== leading);
  };
  return {
    'leader killed -9': async () => {
      const node = cluster.nodes[await leader()];
      await node.kill();
      await delay(5_000);
      await node.start();
      await whole();
    },
    'all brokers killed -9': async () => {
      await Promise.all(NODE_IDS.map((id) => cluster.nodes[id].kill()));
      await delay(10_000);
      await Promise.all(NODE_IDS.map((id) => cluster.nodes[id].start()));
      await whole();
    },
    'leader moved': async () => {
      const [to] = await others();
      if (to !== undefined) await cluster.moveLeader(topic, 0, to);
    },
    'leader accepts and never answers': async () => {
      const node = cluster.nodes[await leader()];
      await node.pause();
      await delay(8_000);
      node.resume();
      await whole();
    },
    'two of three replicas gone': async () => {
      const gone = await others();
      await Promise.all(gone.map((id) => cluster.nodes[id].kill()));
      await delay(8_000);
      await Promise.all(gone.map((id) => cluster.nodes[id].start()));
      await whole();
    },
    partition: async () => {
      await cluster.place.cut();
      await delay(10_000);
      await cluster.place.heal();
    },
    'slow link': async () => {
      await cluster.place.slow(300);
      await delay(10_000);
      await cluster.place.heal();
    },
    'agent stopped and continued': async ({ agent }) => {
      agent.process.kill('SIGSTOP');
      await delay(5_000);
      agent.process.kill('SIGCONT');
      await until(() => isAnswering(agent), 'the agent to answer');
    },
  };
}

async function isAnswering({ get }: Load['agent']): Promise<boolean> {
  return (await get('/healthz').catch(() => null))?.status === 200;
}

/** VmRSS, bytes; null while there is no such process. */
function residentMemory(pid: number): number | null {
  try {
    return memoryOf(pid, 'VmRSS');
  } catch {
    return null;
  }
}

/** By least squares, bytes per second. */
function slope(samples: readonly Sample[]): number {
  const mean = (value: (sample: Sample) => number) =>
    samples.reduce((sum, sample) => sum + value(sample), 0) / samples.length;
  const [at, bytes] = [mean((sample) => sample.at), mean((sample) => sample.bytes)];
  const covariance = mean((sample) => (sample.at - at) * (sample.bytes - bytes));
  return covariance / mean((sample) => (sample.at - at) ** 2);
}
