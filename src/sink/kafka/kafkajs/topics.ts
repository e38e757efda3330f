/** Topics of a cluster and their partitions, from kafkajs's metadata. */
import type Cluster from 'kafkajs/src/cluster/index.js';
import type { Broker } from 'kafkajs/src/cluster/index.js';
import murmur2 from 'kafkajs/src/producer/partitioners/default/murmur2.js';
import { aboutTopics, missingTopics, typeOf } from './errors.ts';

/** Rejects where topics are missing, with all of them at once, so that an operator need not find them one by one. */
export async function requireTopics(cluster: Cluster, topics: readonly string[]): Promise<void> {
  const missing: string[] = [];
  for (const topic of topics) {
    await cluster.addTargetTopic(topic).catch((error: unknown) => {
      if (typeOf(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw aboutTopics(error, [topic]);
      missing.push(topic);
    });
  }
  if (missing.length > 0) throw missingTopics('does not exist', missing);
}

/**
 * Gives the partition of a topic for one host, which Java's default partitioner would choose too (`partitionForKey` of
 * BuiltInPartitioner). kafkajs' own partitioner chooses the same, but loads the whole of node:crypto for keys that are null.
 */
export function createPartitionChoice(host: string): (cluster: Cluster, topic: string) => number {
  const hash = murmur2(host) & 0x7fffffff;
  return (cluster, topic) => {
    const { length } = cluster.findTopicPartitionMetadata(topic);
    if (length === 0) throw new Error(`no metadata of topic ${topic}`);
    return hash % length;
  };
}

export function hasPartition(cluster: Cluster, topic: string, partition: number): boolean {
  return findPartition(cluster, topic, partition) !== undefined;
}

export function leaderOf(cluster: Cluster, topic: string, partition: number): Promise<Broker> {
  return cluster.findBroker({ nodeId: findPartition(cluster, topic, partition)?.leader ?? -1 });
}

function findPartition(cluster: Cluster, topic: string, partition: number) {
  return cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition);
}
