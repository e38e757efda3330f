/** Brokers of older releases, which fleets of EL7 still have, with the ZooKeeper that they need. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endJava, javaOptions, librariesOf, startJava, writeProperties } from '../java.ts';
import { freePorts } from '../wait.ts';
import { createTopics, type Topics } from './topics.ts';

export const RELEASES = ['1.1', '2.8'] as const;
export type Release = (typeof RELEASES)[number];

export interface OldBroker extends Topics {
  readonly address: string;
}

export interface OldBrokers {
  readonly of: Readonly<Record<Release, OldBroker>>;
  stop(): Promise<void>;
}

/** They reach into classes of Java 8. Their own messages, which say when they serve, are of the level info. */
const OLD_JAVA = [
  '--add-opens=java.base/java.lang=ALL-UNNAMED',
  '--add-opens=java.base/sun.nio.ch=ALL-UNNAMED',
  '-Dzookeeper.admin.enableServer=false',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=info',
];
const HEAP_MIB = 256;

/** One broker of each release. */
export async function startOldBrokers(): Promise<OldBrokers> {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-kafka-old-'));
  const programs: ChildProcess[] = [];
  const stop = async () => {
    await Promise.all(programs.map((program) => endJava(program, 'SIGKILL')));
    rmSync(directory, { recursive: true, force: true });
  };
  const [zooKeeperPort = 0, ...ports] = await freePorts(1 + RELEASES.length);

  const start = async (name: 'kafka-2.8' | 'kafka-1.1', up: string, ...words: string[]) => {
    const logFile = join(directory, `${words[0]}-${name}.log`);
    const args = [...OLD_JAVA, ...javaOptions(librariesOf(name), HEAP_MIB), ...words];
    const started = startJava({ name, args, logFile, isUp: (printed) => printed.includes(up) });
    programs.push(started.child);
    await started.up;
  };

  const startBroker = async (release: Release, port: number): Promise<OldBroker> => {
    const address = `127.0.0.1:${port}`;
    const file = join(directory, `${release}.properties`);
    writeProperties(file, {
      'broker.id': '0',
      listeners: `PLAINTEXT://${address}`,
      'zookeeper.connect': `127.0.0.1:${zooKeeperPort}/${release}`,
      'log.dirs': join(directory, release),
      'offsets.topic.replication.factor': '1',
      'auto.create.topics.enable': 'false',
    });
    await start(`kafka-${release}`, '[KafkaServer id=0] started', 'kafka.Kafka', file);
    return { address, ...createTopics(() => [address]) };
  };

  try {
    const main = 'org.apache.zookeeper.server.ZooKeeperServerMain';
    const data = join(directory, 'zookeeper');
    await start('kafka-2.8', 'binding to port', main, String(zooKeeperPort), data);
    const brokers = await Promise.all(
      RELEASES.map(async (release, index) => [release, await startBroker(release, ports[index] ?? 0)]),
    );
    return { of: Object.fromEntries(brokers) as Record<Release, OldBroker>, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
