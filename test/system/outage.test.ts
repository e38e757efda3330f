/** A broker that is gone for half a minute under load: nothing lost, nothing doubled, memory bounded. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TcpEvent } from '../../src/event/tcp-event.ts';
import { imbalances } from '../../src/ledger/ledger.ts';
import { peakMemory, startAgent, whyNoAgent } from '../support/agent.ts';
import { type Broker, startBroker, until, whyNoKafka } from '../support/kafka.ts';
import { noNetworkReason, withLossyLink } from '../support/network.ts';
import { runSteady } from '../support/traffic/traffic.ts';

const missing = whyNoAgent() ?? whyNoKafka() ?? noNetworkReason;
if (missing) console.warn(`skipped: broker outage: ${missing}`);

const OUTAGE_MS = 30_000;
/** About 3,000 events a second: some 60 MB during the outage, four times what the agent's queue holds. */
const CONNECTIONS_PER_SECOND = 200;
const SECONDS = 40;
const RSS_LIMIT = 200 * 2 ** 20;

describe.skipIf(missing)('an outage of the broker', () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'ktc-outage-'));
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker({ dataDirectory });
    await broker.createTopic('outage', 3);
  });
  afterAll(async () => {
    await broker?.stop();
    rmSync(dataDirectory, { recursive: true });
  });

  it('of 30 s under load loses nothing, doubles nothing and stays in bounded memory', {
    timeout: 180_000,
  }, async () => {
    const agent = await startAgent({
      config: {
        source: { buffer_kb: 16_384 },
        sink: { kafka: { enabled: true, brokers: [broker.address], topic: 'outage' } },
      },
    });
    try {
      const traffic = await withLossyLink({ lossPercent: 0 }, async (link) => {
        const running = runSteady({
          perSecond: CONNECTIONS_PER_SECOND,
          seconds: SECONDS,
          namespace: link.a.namespace,
        });
        await until(
          async () => ((await agent.status()).ledger.sinks['kafka']?.delivered ?? 0) > 5_000,
          'events to be delivered before the outage',
          20_000,
        );
        await broker.stop();
        const stoppedAt = Date.now();
        await until(
          async () => (await agent.status()).source.paused,
          'reading to pause while the broker is away',
          OUTAGE_MS,
        );
        const during = await agent.status();
        expect(during.imbalances).toEqual([]);
        expect((await agent.get('/healthz')).status).toBe(200);
        await until(() => Date.now() - stoppedAt >= OUTAGE_MS, 'the outage to last', OUTAGE_MS + 5_000);
        await broker.start();
        return running;
      });
      await until(
        async () => {
          const { paused, cpus } = (await agent.status()).source;
          return !paused && cpus.every(({ unread_bytes }) => unread_bytes === 0);
        },
        'everything that the kernel kept during the outage to be read',
        90_000,
      );
      const memory = peakMemory(agent.pid);
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
      expect(memory).toBeLessThan(RSS_LIMIT);

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
