/** What the agent holds in memory while its broker is away, with no spool on disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { startAgent } from '../test/support/agent.ts';
import { startBroker } from '../test/support/kafka.ts';
import { memoryOf } from '../test/support/memory.ts';
import { startSteady } from '../test/support/traffic/traffic.ts';
import { until } from '../test/support/wait.ts';
import { probesOf } from './probes.ts';
import { type Bench, figure } from './report.ts';

const TOPIC = 'outage';
/** About 3,000 events per second: some 60 MB in half a minute, four times what the agent's queue holds. */
const CONNECTIONS_PER_SECOND = 200;
const LONGEST_TRAFFIC_S = 600;
const LEAST_DELIVERED = 5_000;
const MIB = 2 ** 20;

export const outage: Bench = async (quick) => {
  const seconds = quick ? 3 : 30;
  const dataDirectory = mkdtempSync('/dev/shm/ktc-bench-');
  const broker = await startBroker({ dataDirectory });
  try {
    await broker.createTopic(TOPIC, 3);
    const agent = await startAgent({
      config: {
        source: { buffer_kb: 16_384, probes: probesOf('steady') },
        sink: { kafka: { enabled: true, brokers: [broker.address], topic: TOPIC } },
      },
    });
    try {
      const delivered = async () => (await agent.status()).ledger.sinks['kafka']?.delivered ?? 0;
      const traffic = await startSteady({ perSecond: CONNECTIONS_PER_SECOND, seconds: LONGEST_TRAFFIC_S });
      await until(async () => (await delivered()) > LEAST_DELIVERED, 'events to be delivered');
      const before = memoryOf(agent.pid, 'VmHWM') / MIB;
      await broker.stop();
      await delay(seconds * 1000);
      await broker.start();
      await traffic.stop();
      await until(agent.hasReadAll, 'what the kernel kept to be read');
      const peak = memoryOf(agent.pid, 'VmHWM') / MIB;
      return {
        tables: [
          {
            title: 'An outage of the broker',
            script: 'bench/outage.ts',
            columns: ['', 'peak RSS MiB'],
            rows: [
              [`before, at ${LEAST_DELIVERED.toLocaleString('en')} events`, figure(before)],
              [`after ${seconds} s without a broker`, figure(peak)],
            ],
            notes: [
              `The agent runs with its defaults but without the spool, at ${CONNECTIONS_PER_SECOND} connections per second. Records that do not fit into its queue wait in the kernel.`,
            ],
          },
        ],
        bars: [{ what: 'peak RSS in an outage of the broker', value: peak, limit: 200, unit: 'MiB' }],
      };
    } finally {
      await agent.stop('SIGKILL');
    }
  } finally {
    await broker.stop();
    rmSync(dataDirectory, { recursive: true });
  }
};
