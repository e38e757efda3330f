/** Topics of a running broker or cluster: made and changed by kafkajs's admin, read by kcat. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import kafkajs from 'kafkajs';
// Else it wakes the process of the test 1,000 times per second.
import '../../../src/sink/kafka/kafkajs/timers.ts';
import { type Account, addLines, openAccount } from '../event-account.ts';
import { DEADLINE_MS, until } from '../wait.ts';

const run = promisify(execFile);

export interface ConsumedRecord {
  partition: number;
  key: string;
  value: string;
}

export interface TopicOptions {
  /** Default 1. */
  readonly replicas?: number;
  readonly config?: Readonly<Record<string, string>>;
}

export interface Topics {
  /** Makes a topic; one of that name is deleted before, as a test that is tried again wants an empty one. */
  create(name: string, partitions: number, options?: TopicOptions): Promise<void>;
  delete(name: string): Promise<void>;
  /** Gives a topic exactly these settings of its own; what is left out goes back to the broker's default. */
  configure(name: string, config: Readonly<Record<string, string>>): Promise<void>;
  /** The node that leads a partition, or null while none does. */
  leader(name: string, partition: number): Promise<number | null>;
  /** The nodes whose replica of a partition is in sync. */
  inSyncReplicas(name: string, partition: number): Promise<number[]>;
  /** What a user may do with a topic from now on, only that: `WRITE`, `DESCRIBE` … Needs a broker with an authorizer. */
  allow(user: string, topic: string, operations: readonly ('DESCRIBE' | 'WRITE')[]): Promise<void>;
  /** Names the replicas of a partition anew, the preferred leader first. */
  reassign(name: string, partition: number, replicas: readonly number[]): Promise<void>;
  /** One record by kcat, in the partition that Java's default partitioner gives the key. */
  produce(topic: string, key: string, value: string): Promise<void>;
  /** All values of a topic, read by kcat to the end of every partition. */
  consume(topic: string): Promise<string[]>;
  /** The same with key and partition, in the order of each partition. Values must be one line each. */
  consumeRecords(topic: string): Promise<ConsumedRecord[]>;
  /** Bytes of the key and of the value of every message. */
  consumeSizes(topic: string): Promise<{ keyBytes: number; valueBytes: number }[]>;
  /** Reads whole topics by kcat, as a stream: one event a record, or one a line of a packed record. */
  account(...topics: string[]): Promise<Account>;
}

const CONNECT_PAUSE_MS = 200;

/** `bootstrap`: brokers to ask at this moment, `host:port` each. kafkajs and kcat wait long for one that never answers. */
export function createTopics(bootstrap: () => readonly string[]): Topics {
  const servers = () => bootstrap().join(',');

  const withAdmin = async <T>(use: (admin: kafkajs.Admin) => Promise<T>): Promise<T> => {
    for (const deadline = performance.now() + DEADLINE_MS; ; await delay(CONNECT_PAUSE_MS)) {
      const admin = new kafkajs.Kafka({
        brokers: [...bootstrap()],
        logLevel: kafkajs.logLevel.NOTHING,
      }).admin();
      try {
        await admin.connect();
        return await use(admin);
      } catch (error) {
        // The others still name a broker that has just died, and kafkajs picks any of those.
        const isRefused = error instanceof Error && error.name === 'KafkaJSConnectionError';
        if (!isRefused || performance.now() > deadline) throw error;
      } finally {
        await admin.disconnect();
      }
    }
  };

  const describe = async (name: string) => {
    const { topics } = await withAdmin((admin) => admin.fetchTopicMetadata({ topics: [name] }));
    return topics[0]?.partitions ?? [];
  };
  const describePartition = async (name: string, partition: number) =>
    (await describe(name)).find(({ partitionId }) => partitionId === partition);

  const consumer = (topic: string, format: string) => [
    ...['-b', servers(), '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f', format],
  ];

  const read = async (topic: string, format: string): Promise<string[]> => {
    const { stdout } = await run('kcat', consumer(topic, format), {
      maxBuffer: 2 ** 30,
      timeout: DEADLINE_MS,
    });
    return stdout.split('\n').slice(0, -1);
  };

  return {
    async create(name, partitions, { replicas = 1, config = {} } = {}) {
      const configEntries = Object.entries(config).map(([key, value]) => ({ name: key, value }));
      await withAdmin(async (admin) => {
        const create = () =>
          admin.createTopics({
            topics: [{ topic: name, numPartitions: partitions, replicationFactor: replicas, configEntries }],
            waitForLeaders: false,
          });
        // False is the answer that there is one.
        if (await create()) return;
        await admin.deleteTopics({ topics: [name] });
        await until(create, `topic ${name} to be made anew`);
      });
      // A broker may hear of it a moment after the one that was asked; kafkajs's own waiting then fails.
      await until(async () => {
        const found = await describe(name).catch(() => []);
        return found.length === partitions && found.every(({ leader }) => leader >= 0);
      }, `leaders of topic ${name}`);
    },
    async delete(name) {
      await withAdmin((admin) => admin.deleteTopics({ topics: [name] }));
    },
    async configure(name, config) {
      const configEntries = Object.entries(config).map(([key, value]) => ({ name: key, value }));
      const type = kafkajs.ConfigResourceTypes.TOPIC;
      await withAdmin((admin) =>
        admin.alterConfigs({ validateOnly: false, resources: [{ type, name, configEntries }] }),
      );
    },
    async leader(name, partition) {
      const found = await describePartition(name, partition);
      return found === undefined || found.leader < 0 ? null : found.leader;
    },
    inSyncReplicas: async (name, partition) => (await describePartition(name, partition))?.isr ?? [],
    async allow(user, topic, operations) {
      const rule = {
        resourceType: kafkajs.AclResourceTypes.TOPIC,
        resourceName: topic,
        resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
        principal: `User:${user}`,
        host: '*',
        permissionType: kafkajs.AclPermissionTypes.ALLOW,
      };
      await withAdmin(async (admin) => {
        await admin.deleteAcls({ filters: [{ ...rule, operation: kafkajs.AclOperationTypes.ANY }] });
        const acl = operations.map((name) => ({ ...rule, operation: kafkajs.AclOperationTypes[name] }));
        if (acl.length > 0) await admin.createAcls({ acl });
      });
    },
    async reassign(name, partition, replicas) {
      const partitionAssignment = [{ partition, replicas: [...replicas] }];
      await withAdmin((admin) =>
        admin.alterPartitionReassignments({ topics: [{ topic: name, partitionAssignment }] }),
      );
    },
    async produce(topic, key, value) {
      const args = ['-b', servers(), '-P', '-t', topic, '-X', 'partitioner=murmur2', '-K', '\t'];
      const producing = run('kcat', args);
      producing.child.stdin?.end(`${key}\t${value}\n`);
      await producing;
    },
    consume: (topic) => read(topic, '%s\n'),
    async consumeRecords(topic) {
      // JSON text holds no tab and no newline, so both separate safely.
      const lines = await read(topic, '%p\t%k\t%s\n');
      return lines.map((line) => {
        const [partition = '', key = '', value = ''] = line.split('\t');
        return { partition: Number(partition), key, value };
      });
    },
    async consumeSizes(topic) {
      const lines = await read(topic, '%K %S\n');
      return lines.map((line) => {
        const [keyBytes = 0, valueBytes = 0] = line.split(' ').map(Number);
        return { keyBytes, valueBytes };
      });
    },
    async account(...topics) {
      const account = openAccount();
      for (const topic of topics) {
        const child = spawn('kcat', consumer(topic, '%s\n'), { stdio: ['ignore', 'pipe', 'inherit'] });
        const exit = once(child, 'exit');
        await addLines(account, child.stdout);
        const [code] = (await exit) as [number | null];
        if (code !== 0) throw new Error(`kcat ended with ${code} reading ${topic}`);
      }
      return account;
    },
  };
}
