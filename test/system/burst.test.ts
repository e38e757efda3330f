/** A burst out of rest: the buffer that the agent has by default holds it, whatever the agent does meanwhile. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imbalances, total } from '../../src/ledger/ledger.ts';
import { startAgent, whyNoAgent } from '../support/agent.ts';
import { type Broker, startBroker, whyNoKafka } from '../support/kafka.ts';
import { suspend } from '../support/suspend.ts';
import { runSteady } from '../support/traffic/traffic.ts';
import { until } from '../support/wait.ts';

const missing = whyNoAgent() ?? whyNoKafka();
if (missing) console.warn(`skipped: a burst out of rest: ${missing}`);

const TOPIC = 'burst';
const EVENTS = 50_000;
/** Each is about 14 events. */
const CONNECTIONS = 3_700;
/** What a busy machine could not make in a second is made in further ones, of which each makes some. */
const LEAST_PER_SECOND = 100;

describe.skipIf(missing)('a burst out of rest', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker();
  });
  afterAll(() => broker?.stop());

  it(`of ${EVENTS} events, none of which is read before it is over, loses nothing`, async () => {
    await broker.createTopic(TOPIC, 3);
    const agent = await startAgent({
      config: { sink: { kafka: { enabled: true, brokers: [broker.address], topic: TOPIC } } },
    });
    try {
      // No burst is shorter than one that happens while the agent stands still.
      await suspend(agent.pid);
      for (let left = CONNECTIONS; left > 0; ) {
        left -= (await runSteady({ perSecond: Math.max(left, LEAST_PER_SECOND), seconds: 1 })).connections;
      }
      process.kill(agent.pid, 'SIGCONT');
      await until(async () => (await agent.status()).ledger.emitted >= EVENTS, 'the burst to be read');
      await until(agent.hasReadAll, 'what the kernel kept to be read');
      expect(await agent.stop()).toBe(0);
      const ledger = agent.finalLedger();
      expect(imbalances(ledger)).toEqual([]);
      expect(total(ledger.lost)).toBe(0);
      const ids = (await broker.consume(TOPIC)).map(
        (line) => (JSON.parse(line) as { event_id: string }).event_id,
      );
      expect(ids.length).toBe(ledger.emitted);
      expect(new Set(ids).size).toBe(ledger.emitted);
    } finally {
      await agent.stop('SIGKILL');
    }
  });
});
