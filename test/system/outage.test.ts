/** A broker that is gone for half a minute under load: nothing lost, nothing doubled. Its memory: bench/outage.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TcpEvent } from '../../src/event/tcp-event.ts';
import { imbalances } from '../../src/ledger/ledger.ts';
import { startAgent, whyNoAgent } from '../support/agent.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { memoryOf } from '../support/memory.ts';
import { noNetworkReason, withLossyLink } from '../support/network.ts';
import { startSteady } from '../support/traffic/traffic.ts';
import { until } from '../support/wait.ts';

const missing = whyNoAgent() ?? whyNoKafka() ?? noNetworkReason;
if (missing) console.warn(`skipped: broker outage: ${missing}`);

const OUTAGE_MS = 30_000;
/** About 3,000 events per second: some 60 MB during the outage, four times what the agent's queue holds. */
const CONNECTIONS_PER_SECOND = 200;
const LONGEST_TRAFFIC_S = 600;

describe.skipIf(missing)('an outage of the broker', () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'ktc-outage-'));
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker({ dataDirectory });
  });
  afterAll(async () => {
    await broker?.stop();
    rmSync(dataDirectory, { recursive: true });
  });

  it('of 30 s under load loses nothing and doubles nothing', async () => {
    await broker.restore();
    await broker.createTopic('outage', 3);
    const agent = await startAgent({
      config: {
        source: { buffer_kb: 16_384 },
        sink: { kafka: { enabled: true, brokers: [broker.address], topic: 'outage' } },
      },
    });
    try {
      const traffic = await withLossyLink({ lossPercent: 0 }, async (link) => {
        const running = await startSteady({
          perSecond: CONNECTIONS_PER_SECOND,
          seconds: LONGEST_TRAFFIC_S,
          namespace: link.a.namespace,
        });
        await until(
          async () => ((await agent.status()).ledger.sinks['kafka']?.delivered ?? 0) > 5_000,
          'events to be delivered before the outage',
        );
        await broker.stop();
        const stoppedAt = performance.now();
        await until(
          async () => (await agent.status()).source.paused,
          'reading to pause while the broker is away',
        );
        const during = await agent.status();
        expect(during.imbalances).toEqual([]);
        expect((await agent.get('/healthz')).status).toBe(200);
        await until(() => performance.now() - stoppedAt >= OUTAGE_MS, 'the outage to last');
        await broker.start();
        return running.stop();
      });
      await until(agent.hasReadAll, 'everything that the kernel kept during the outage to be read');
      const memory = memoryOf(agent.pid, 'VmHWM');
      expect(await agent.stop()).toBe(0);
      const ledger = agent.finalLedger();
      const lines = await broker.consume('outage');

      console.log(
        `outage: ${traffic.connections} connections, ${ledger.emitted} events, ${lines.length} in the topic, ` +
          `peak RSS ${Math.round(memory / 2 ** 20)} MB`,
      );
      expect(imbalances(ledger)).toEqual([]);
      expect(ledger.lost).toEqual({ kernel_overrun: 0, malformed_page: 0 });
      expect(ledger.sinks['kafka']?.delivered).toBe(ledger.emitted);
      expect(lines.length).toBe(ledger.emitted);

      const events = lines.map((line) => JSON.parse(line) as TcpEvent);
      expect(new Set(events.map(({ event_id }) => event_id)).size).toBe(lines.length);
      // The generator's own count: both ends of each of its connections came to their end.
      const lives = events.filter(({ event, comm }) => event === 'tcp_life' && comm === 'steady');
      expect(traffic.failed).toBe(0);
      expect(lives.length).toBe(2 * traffic.connections);
    } finally {
      await agent.stop('SIGKILL');
    }
  });
});
