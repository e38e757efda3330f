/**
 * Real Kafka (KRaft) for tests, each with its own data and free ports, and kcat to read it independently.
 *
 *     const broker = await startBroker();                    // one node: address, createTopic, consume, kill, pause …
 *     const cluster = await startCluster();                  // three nodes, replication 3, min.insync.replicas 2
 *     await cluster.create('events', 1);                     // replicas: 3
 *     const leader = await cluster.leaderOf('events', 0);
 *     await cluster.nodes[leader].kill();                    // kill -9; start() brings it back with its data
 *     await cluster.nodes[leader].pause();                   // SIGSTOP: accepts and never answers; resume()
 *     await cluster.moveLeader('events', 0, 2);              // without stopping anybody
 *     await cluster.configure('events', { 'min.insync.replicas': '3' });
 *     const account = await cluster.account('events');       // by kcat: events, unique, doubled, changed, missing
 *     await cluster.stop();
 *
 *     const remote = await startRemoteCluster();             // the same behind a link of its own
 *     await remote.place.cut();                              // every packet is dropped; slow(200); heal()
 *
 * Two of three controllers are a quorum: with two nodes gone no leader moves and no topic is made. To have too few
 * replicas in sync with a controller that works, stop one node and ask for three by `configure`.
 */
import { spawnSync } from 'node:child_process';
import { whyNoJars } from './java.ts';

export { type Broker, type BrokerOptions, startBroker } from './kafka/broker.ts';
export {
  type Cluster,
  NODE_IDS,
  type NodeId,
  type RemoteCluster,
  startCluster,
  startRemoteCluster,
} from './kafka/cluster.ts';
export { type OldBrokers, RELEASES, type Release, startOldBrokers } from './kafka/releases.ts';
export type { ConsumedRecord } from './kafka/topics.ts';

/** Why no broker can be run here, in one line; null when one can. */
export function whyNoKafka(): string | null {
  for (const command of ['java', 'kcat', 'setpriv']) {
    if (spawnSync('which', [command]).status !== 0) {
      return `${command} is not installed: run scripts/install-test-dependencies.sh`;
    }
  }
  return whyNoJars('kafka');
}

/** The same for the brokers of older releases. */
export function whyNoOldKafka(): string | null {
  return whyNoKafka() ?? whyNoJars('kafka-2.8') ?? whyNoJars('kafka-1.1');
}
