/** Three brokers, each also a controller: what is left of a cluster when one of them fails. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPlace, type Place } from '../namespace.ts';
import { freePorts, until } from '../wait.ts';
import { createNode, type KafkaNode } from './node.ts';
import { createTopics, type Topics } from './topics.ts';

export const NODE_IDS = [1, 2, 3] as const;
export type NodeId = (typeof NODE_IDS)[number];

export interface Cluster extends Topics {
  /** `<address>:<port>` of every broker, by id - 1. */
  readonly brokers: readonly string[];
  readonly nodes: Readonly<Record<NodeId, KafkaNode>>;
  /** The node that leads a partition; waits while none does. */
  leaderOf(topic: string, partition: number): Promise<NodeId>;
  /** Makes another node the leader, without stopping any, and resolves when it leads. */
  moveLeader(topic: string, partition: number, to: NodeId): Promise<void>;
  /** All of it runs and answers again: what a test that has failed leaves behind. */
  restore(): Promise<void>;
  /** Waits until all three replicas of a partition are in sync again. */
  inSync(topic: string, partition: number): Promise<void>;
  stop(): Promise<void>;
}

export interface ClusterOptions {
  /** Where its brokers are; default the host's own loopback. */
  readonly place?: Place;
}

/** Topics have three replicas and need two in sync, unless told otherwise. */
export async function startCluster({ place }: ClusterOptions = {}): Promise<Cluster> {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-kafka-cluster-'));
  const ports = await freePorts(2 * NODE_IDS.length);
  const address = place?.address ?? '127.0.0.1';
  const brokers = NODE_IDS.map((id) => `${address}:${ports[id - 1]}`);
  const controller = (id: NodeId) => `${address}:${ports[NODE_IDS.length + id - 1]}`;
  const clusterId = randomBytes(16).toString('base64url');
  const remove = () => rmSync(directory, { recursive: true, force: true });
  process.once('exit', remove);

  const create = async (id: NodeId): Promise<KafkaNode> => {
    const own = join(directory, String(id));
    mkdirSync(own);
    return createNode({
      directory: own,
      clusterId,
      heapMiB: 320,
      ...(place && { namespace: place.namespace }),
      properties: {
        'process.roles': 'broker,controller',
        'node.id': String(id),
        'controller.quorum.voters': NODE_IDS.map((each) => `${each}@${controller(each)}`).join(','),
        listeners: `PLAINTEXT://${brokers[id - 1]},CONTROLLER://${controller(id)}`,
        'controller.listener.names': 'CONTROLLER',
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
        'default.replication.factor': '3',
        'min.insync.replicas': '2',
        'offsets.topic.replication.factor': '3',
        'auto.create.topics.enable': 'false',
        // Leaders move when a test says so.
        'auto.leader.rebalance.enable': 'false',
        // A broker that is gone is noticed after 2 s instead of 9, one that hangs leaves the in-sync replicas after 3 s.
        'broker.session.timeout.ms': '2000',
        'broker.heartbeat.interval.ms': '500',
        'replica.lag.time.max.ms': '3000',
      },
    });
  };

  const created = await Promise.all(NODE_IDS.map(create));
  const answering = new Set<NodeId>(NODE_IDS);
  /** Remembers who can be asked: one that is stopped would be waited for. */
  const watched = (id: NodeId, node: KafkaNode): KafkaNode => ({
    ...node,
    async start() {
      await node.start();
      answering.add(id);
    },
    async stop() {
      answering.delete(id);
      await node.stop();
    },
    async kill() {
      answering.delete(id);
      await node.kill();
    },
    async pause() {
      answering.delete(id);
      await node.pause();
    },
    resume() {
      node.resume();
      answering.add(id);
    },
    async restore() {
      await node.restore();
      answering.add(id);
    },
  });
  const nodes = Object.fromEntries(
    created.map((node, index) => [index + 1, watched((index + 1) as NodeId, node)]),
  ) as Record<NodeId, KafkaNode>;
  const all = (act: (node: KafkaNode) => Promise<void>) => Promise.all(created.map(act));
  const topics = createTopics(() => brokers.filter((_, index) => answering.has((index + 1) as NodeId)));

  const leaderOf = async (topic: string, partition: number): Promise<NodeId> => {
    let leader: number | null = null;
    await until(async () => {
      leader = await topics.leader(topic, partition).catch(() => null);
      return leader !== null;
    }, `a leader of ${topic}-${partition}`);
    return (leader ?? 0) as NodeId;
  };

  try {
    await all((node) => node.start());
  } catch (error) {
    await all((node) => node.kill());
    remove();
    throw error;
  }

  const inSync = (topic: string, partition: number) =>
    until(
      async () => (await topics.inSyncReplicas(topic, partition)).length === NODE_IDS.length,
      `three replicas of ${topic}-${partition} in sync`,
    );

  return {
    ...topics,
    brokers,
    nodes,
    create: (name, partitions, options = {}) =>
      topics.create(name, partitions, { replicas: NODE_IDS.length, ...options }),
    leaderOf,
    async moveLeader(topic, partition, to) {
      const others = NODE_IDS.filter((id) => id !== to);
      const from = await leaderOf(topic, partition);
      // A leader that is no replica any more has to give way; then it may come back as a follower.
      if (from !== to) {
        await topics.reassign(topic, partition, [to, ...others.filter((id) => id !== from)]);
        await until(async () => (await leaderOf(topic, partition)) !== from, `node ${from} to give way`);
      }
      if ((await leaderOf(topic, partition)) !== to) throw new Error(`node ${to} does not lead ${topic}`);
      await topics.reassign(topic, partition, [to, ...others]);
      await inSync(topic, partition);
    },
    inSync,
    restore: async () => void (await Promise.all(NODE_IDS.map((id) => nodes[id].restore()))),
    async stop() {
      // A farewell takes seconds, and nobody reads the data again.
      await all((node) => node.kill());
      remove();
    },
  };
}

/** A cluster behind a link of its own, which can be cut and slowed. */
export interface RemoteCluster extends Cluster {
  readonly place: Place;
}

export async function startRemoteCluster(): Promise<RemoteCluster> {
  const place = await openPlace();
  try {
    const cluster = await startCluster({ place });
    return {
      ...cluster,
      place,
      async restore() {
        await place.heal();
        await cluster.restore();
      },
      async stop() {
        await cluster.stop();
        await place.close();
      },
    };
  } catch (error) {
    await place.close();
    throw error;
  }
}
