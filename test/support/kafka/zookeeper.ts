/** The ZooKeeper that older Kafka and a cluster of ClickHouse need. */
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { javaOptions, librariesOf, startJava } from '../java.ts';
import { freePorts } from '../wait.ts';

/** They reach into classes of Java 8. Their own messages, which say when they serve, are of the level info. */
export const OLD_JAVA = [
  '--add-opens=java.base/java.lang=ALL-UNNAMED',
  '--add-opens=java.base/sun.nio.ch=ALL-UNNAMED',
  '-Dzookeeper.admin.enableServer=false',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=info',
];
const HEAP_MIB = 256;

export interface ZooKeeper {
  readonly port: number;
  readonly child: ChildProcess;
}

/** Keeps its data in `directory`, which is the caller's. */
export async function startZooKeeper(directory: string): Promise<ZooKeeper> {
  const [port = 0] = await freePorts(1);
  const main = 'org.apache.zookeeper.server.ZooKeeperServerMain';
  const options = javaOptions(librariesOf('kafka-2.8'), HEAP_MIB);
  const { child, up } = startJava({
    name: 'ZooKeeper',
    args: [...OLD_JAVA, ...options, main, String(port), join(directory, 'zookeeper')],
    logFile: join(directory, 'zookeeper.log'),
    isUp: (printed) => printed.includes('binding to port'),
  });
  await up;
  return { port, child };
}
