/** The fault matrix, Kafka: three brokers, replication 3, two in sync needed; the account is kcat's. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { whyNoAgent } from '../../support/agent.ts';
import { startCollector } from '../../support/collector.ts';
import { whyNoCollector } from '../../support/collector-process.ts';
import { accountOfFile } from '../../support/event-account.ts';
import {
  NODE_IDS,
  type NodeId,
  type RemoteCluster,
  startRemoteCluster,
  whyNoKafka,
} from '../../support/kafka.ts';
import { noNetworkReason } from '../../support/network.ts';
import { until } from '../../support/wait.ts';
import { expectExact, type Load, underLoad } from './load.ts';
import { FULL, tellRow } from './row.ts';

const missing = whyNoAgent() ?? whyNoKafka() ?? noNetworkReason;
if (missing) console.warn(`skipped: faults of Kafka: ${missing}`);

/** Rows that only `make test-faults` has time for. */
const fullOnly = it.skipIf(!FULL);
/** Short, so that a row sees them pass. */
const KAFKA = { enabled: true, request_timeout_ms: 2_000, delivery_timeout_ms: 20_000 } as const;

describe.skipIf(missing)('nothing is lost when, in Kafka,', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-faults-kafka-'));
  let cluster: RemoteCluster;
  beforeAll(async () => {
    cluster = await startRemoteCluster();
  });
  beforeEach(() => cluster.restore());
  afterAll(async () => {
    await cluster?.stop();
    rmSync(directory, { recursive: true });
  });

  const all = (act: (node: RemoteCluster['nodes'][NodeId]) => Promise<void>) =>
    Promise.all(NODE_IDS.map((id) => act(cluster.nodes[id])));
  const otherThan = (node: NodeId): NodeId => NODE_IDS.find((id) => id !== node) ?? node;

  const optionsOf = (topic: string, kafka: object = {}) => ({
    sink: { kafka: { ...KAFKA, brokers: cluster.brokers, topic, ...kafka } },
    namespace: cluster.place.namespace,
  });

  const row = async (
    topic: string,
    name: string,
    fault: (load: Load, topic: string) => Promise<void>,
    kafka: object = {},
  ) => {
    await cluster.create(topic, 1);
    const ending = await underLoad(optionsOf(topic, kafka), (load) => fault(load, topic));
    const account = await cluster.account(topic);
    expectExact(name, 'kafka', account, ending);
    return { account, ending };
  };

  it('the leader is killed -9', async () => {
    const { account } = await row('killed', 'one of three brokers killed -9', async (load, topic) => {
      const leader = await cluster.leaderOf(topic, 0);
      await cluster.nodes[leader].kill();
      await load.more('kafka', 5_000);
      await cluster.nodes[leader].start();
      await cluster.inSync(topic, 0);
    });
    expect(account.doubled).toBe(0);
  });

  const outage = async (topic: string, name: string, outageMs: number, kafka: object = {}) => {
    await row(
      topic,
      name,
      async (load) => {
        await all((node) => node.kill());
        await delay(outageMs);
        const during = await load.ledgerOf('kafka');
        expect(during.spooled).toBeGreaterThan(outageMs);
        expect((await load.agent.get('/healthz')).status).toBe(200);
        await all((node) => node.start());
        await until(
          async () => (await load.ledgerOf('kafka')).spooled < during.spooled / 2,
          'the spool to empty',
        );
      },
      kafka,
    );
  };

  const outageS = FULL ? 60 : 8;
  it(`all brokers are killed for ${outageS} s`, () =>
    outage('outage', `all brokers killed for ${outageS} s`, outageS * 1_000));

  fullOnly(
    'all brokers are killed for 12 minutes, longer than every default of the sink',
    {
      timeout: 1_800_000,
    },
    () =>
      outage('long-outage', 'all brokers killed for 12 min', 720_000, {
        request_timeout_ms: 30_000,
        delivery_timeout_ms: 120_000,
      }),
  );

  it('the leader moves', async () => {
    const { account } = await row('moved', 'leader moved', async (_, topic) => {
      await cluster.moveLeader(topic, 0, otherThan(await cluster.leaderOf(topic, 0)));
    });
    expect(account.doubled).toBe(0);
  });

  it('the leader accepts and never answers', async () => {
    await row('hanging', 'leader accepts and never answers (SIGSTOP)', async (load, topic) => {
      const leader = await cluster.leaderOf(topic, 0);
      await cluster.nodes[leader].pause();
      await load.more('kafka', 5_000);
      cluster.nodes[leader].resume();
      await cluster.inSync(topic, 0);
    });
  });

  it('the first broker of its list never answers from the start', async () => {
    const topic = 'first-hangs';
    await cluster.create(topic, 1);
    await cluster.nodes[1].pause();
    try {
      const ending = await underLoad(optionsOf(topic), async () => {
        cluster.nodes[1].resume();
        await cluster.inSync(topic, 0);
      });
      const account = await cluster.account(topic);
      expectExact('first broker of the list hangs from the start', 'kafka', account, ending);
    } finally {
      cluster.nodes[1].resume();
    }
  });

  fullOnly('all brokers accept and never answer', async () => {
    await row('all-hanging', 'all brokers accept and never answer (SIGSTOP), 30 s', async (load) => {
      await all((node) => node.pause());
      await load.standstill('kafka');
      await delay(30_000);
      for (const id of NODE_IDS) cluster.nodes[id].resume();
    });
  });

  const partitionS = FULL ? 30 : 6;
  it(`the network drops every packet for ${partitionS} s`, async () => {
    await row('partition', `partition (nftables drop), ${partitionS} s`, async (load) => {
      await cluster.place.cut();
      try {
        await load.standstill('kafka');
        await delay(partitionS * 1_000);
      } finally {
        await cluster.place.heal();
      }
    });
  });

  fullOnly('the link is slow', async () => {
    await row(
      'slow',
      'link of 200 kB/s for 1.5 MB/s of events, 30 s',
      async (load) => {
        await cluster.place.slow(200);
        try {
          await delay(30_000);
          expect((await load.ledgerOf('kafka')).spooled).toBeGreaterThan(10_000);
        } finally {
          await cluster.place.heal();
        }
      },
      { compression: 'none' },
    );
  });

  it('too few replicas are in sync', async () => {
    const { account } = await row('too-few', '`min.insync.replicas` not met', async (load, topic) => {
      const follower = otherThan(await cluster.leaderOf(topic, 0));
      await cluster.nodes[follower].kill();
      await until(
        async () => (await cluster.inSyncReplicas(topic, 0)).length === 2,
        'the replica to be out of sync',
      );
      await cluster.configure(topic, { 'min.insync.replicas': '3' });
      await load.standstill('kafka');
      await cluster.configure(topic, {});
      await load.more('kafka', 1_000);
      await cluster.nodes[follower].start();
      await cluster.inSync(topic, 0);
    });
    expect(account.doubled).toBe(0);
  });

  it('the topic is deleted: what was acknowledged is gone with it, and nothing else', async () => {
    const topic = 'deleted';
    let gone = 0;
    await cluster.create(topic, 1);
    const { ledger, refused, seconds, peakMemory } = await underLoad(optionsOf(topic), async (load) => {
      await cluster.delete(topic);
      await load.problem('kafka', /"deleted" does not exist/);
      gone = await load.standstill('kafka');
      await cluster.create(topic, 1);
    });
    const account = await cluster.account(topic);
    const own = ledger.sinks['kafka'];
    tellRow({
      row: 'topic deleted and made again',
      perSecond: ledger.emitted / seconds,
      expected: `${ledger.emitted} events`,
      found: `${account.unique} events`,
      lost: { 'acknowledged by the topic that was deleted': gone },
      doubled: account.doubled,
      peakMemory,
      measured: '',
    });
    expect(own?.delivered).toBe(ledger.emitted);
    expect(account.unique).toBe(ledger.emitted - gone);
    expect(account.changed).toEqual([]);
    expect(refused.size).toBe(0);
  });

  it.skipIf(whyNoCollector() !== null)(
    'it is one of three sinks and goes, and then another one does',
    async () => {
      const topic = 'side-by-side';
      await cluster.create(topic, 1);
      const collector = await startCollector();
      try {
        const sink = {
          kafka: { ...KAFKA, brokers: cluster.brokers, topic },
          otlp: { enabled: true, endpoint: collector.httpEndpoint, timeout_ms: 2_000 },
          file: { enabled: true, path: join(directory, 'events.ndjson'), max_bytes: 2 ** 30 },
        };
        const ending = await underLoad({ ...optionsOf(topic), sink }, async (load) => {
          await cluster.place.cut();
          const standing = await load.standstill('kafka');
          await Promise.all([load.more('otlp', 10_000), load.more('file', 10_000)]);
          expect((await load.ledgerOf('kafka')).delivered).toBe(standing);
          await cluster.place.heal();
          await collector.kill();
          await load.problem('otlp', /ECONNREFUSED/);
          const { delivered } = await load.ledgerOf('otlp');
          await Promise.all([load.more('kafka', 10_000), load.more('file', 10_000)]);
          expect((await load.ledgerOf('otlp')).delivered).toBe(delivered);
          await collector.start();
        });
        expectExact(
          'three sinks: Kafka cut off, then the collector down: in Kafka',
          'kafka',
          await cluster.account(topic),
          ending,
        );
        expectExact('the same: in the collector', 'otlp', await collector.account(), ending);
        expectExact('the same: in the file', 'file', await accountOfFile(sink.file.path), ending);
      } finally {
        await cluster.place.heal();
        await collector.remove();
      }
    },
  );

  it('records are too large for a while: these are refused, counted, and kept as dead letters', async () => {
    const { ending } = await row(
      'too-large',
      'records too large for a while',
      async (load, topic) => {
        // Between the smallest and the largest of the events, each with the frame of its batch.
        await cluster.configure(topic, { 'max.message.bytes': '800' });
        await until(
          async () => ((await load.ledgerOf('kafka')).rejected['message_too_large'] ?? 0) > 20,
          'events to be refused',
        );
        await cluster.configure(topic, {});
      },
      { compression: 'none' },
    );
    expect(ending.ledger.sinks['kafka']?.rejected).toEqual({ message_too_large: expect.any(Number) });
  });
});
