/** Brokers of older releases, which fleets of EL7 still have, with the ZooKeeper that they need. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { javaOptions, librariesOf, startJava, writeProperties } from '../java.ts';
import { endProgram } from '../program.ts';
import { freePorts } from '../wait.ts';
import { createTopics, type Topics } from './topics.ts';
import { OLD_JAVA, startZooKeeper } from './zookeeper.ts';

export const RELEASES = ['1.1', '2.8'] as const;
export type Release = (typeof RELEASES)[number];

export interface OldBroker extends Topics {
  readonly address: string;
}

export interface OldBrokers {
  readonly of: Readonly<Record<Release, OldBroker>>;
  stop(): Promise<void>;
}

const HEAP_MIB = 256;

/** One broker of each release. */
export async function startOldBrokers(): Promise<OldBrokers> {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-kafka-old-'));
  const programs: ChildProcess[] = [];
  const stop = async () => {
    await Promise.all(programs.map((program) => endProgram(program, 'SIGKILL')));
    rmSync(directory, { recursive: true, force: true });
  };
  const ports = await freePorts(RELEASES.length);

  const startBroker = async (release: Release, port: number, zooKeeperPort: number): Promise<OldBroker> => {
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
    const name = `kafka-${release}` as const;
    const started = startJava({
      name,
      args: [...OLD_JAVA, ...javaOptions(librariesOf(name), HEAP_MIB), 'kafka.Kafka', file],
      logFile: join(directory, `${release}.log`),
      isUp: (printed) => printed.includes('[KafkaServer id=0] started'),
    });
    programs.push(started.child);
    await started.up;
    return { address, ...createTopics(() => [address]) };
  };

  try {
    const zooKeeper = await startZooKeeper(directory);
    programs.push(zooKeeper.child);
    const brokers = await Promise.all(
      RELEASES.map(async (release, index) => [
        release,
        await startBroker(release, ports[index] ?? 0, zooKeeper.port),
      ]),
    );
    return { of: Object.fromEntries(brokers) as Record<Release, OldBroker>, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
