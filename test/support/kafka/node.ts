/** One Kafka process: its files, its start, and the ways it can fail. */
import { type ChildProcess, execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { hasEnded } from '../children.ts';
import { javaOptions, librariesOf, startJava, writeProperties } from '../java.ts';
import { enter } from '../namespace.ts';
import { endProgram } from '../program.ts';
import { suspend } from '../suspend.ts';

const run = promisify(execFile);

const LIBRARIES = librariesOf('kafka');
const TOOL_HEAP_MIB = 256;
const QUIET = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
export const SHA_512 = 'SCRAM-SHA-512';
export const SCRAM = ['SCRAM-SHA-256', SHA_512] as const;

export interface KafkaNode {
  /** Starts, again with the same data and ports, and resolves when it serves its listeners. */
  start(): Promise<void>;
  /** SIGTERM, and SIGKILL if that is not enough; resolves when the process is gone. */
  stop(): Promise<void>;
  /** SIGKILL: what a crash leaves behind. Also while it starts. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. Resolves when every thread has stopped. */
  pause(): Promise<void>;
  /** SIGCONT. */
  resume(): void;
  /** Runs and answers again, whatever was done to it: what a test that has failed leaves behind. */
  restore(): Promise<void>;
  /** Of its process; null while it does not run. */
  pid(): number | null;
  /** Bytes of the records that it holds of a topic, as they are on the disk. */
  bytesOf(topic: string): number;
}

export interface NodeOptions {
  /** Holds server.properties, the data and broker.log. */
  readonly directory: string;
  readonly clusterId: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly heapMiB: number;
  /** Network namespace to run in. */
  readonly namespace?: string;
  /** Users who may log in by SCRAM, and their passwords. */
  readonly scramUsers?: Readonly<Record<string, string>>;
}

/** Runs one of Kafka's own programs to its end. */
export async function runTool(mainClass: string, ...words: readonly string[]): Promise<void> {
  await run('java', [QUIET, ...javaOptions(LIBRARIES, TOOL_HEAP_MIB), mainClass, ...words]);
}

/** Formats the data directory; the node is not started yet. */
export async function createNode(options: NodeOptions): Promise<KafkaNode> {
  const { directory, properties, clusterId } = options;
  const java = javaOptions(LIBRARIES, options.heapMiB);
  const propertiesFile = join(directory, 'server.properties');
  const logFile = join(directory, 'broker.log');
  const data = join(directory, 'data');
  writeProperties(propertiesFile, { ...properties, 'log.dirs': data });
  await run('java', [
    QUIET,
    ...java,
    'kafka.tools.StorageTool',
    'format',
    // An id may begin with a dash.
    `--cluster-id=${clusterId}`,
    '-c',
    propertiesFile,
    ...Object.entries(options.scramUsers ?? {}).flatMap(([name, password]) =>
      SCRAM.flatMap((mechanism) => ['--add-scram', `${mechanism}=[name=${name},password=${password}]`]),
    ),
  ]);

  let child: ChildProcess | null = null;

  const end = async (signal: NodeJS.Signals) => {
    const running = child;
    child = null;
    await endProgram(running, signal);
  };

  const node: KafkaNode = {
    async start() {
      const started = startJava({
        name: `Kafka on ${properties['listeners']}`,
        prefix: options.namespace === undefined ? [] : enter(options.namespace),
        args: [...java, 'kafka.Kafka', propertiesFile],
        logFile,
        isUp: (printed) => printed.includes('Kafka Server started'),
      });
      child = started.child;
      await started.up;
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async pause() {
      const pid = child?.pid;
      if (pid === undefined) throw new Error('a broker that does not run cannot be paused');
      await suspend(pid);
    },
    resume: () => void child?.kill('SIGCONT'),
    pid: () => child?.pid ?? null,
    bytesOf(topic) {
      const isPartition = (name: string) =>
        name.startsWith(`${topic}-`) && /^\d+$/.test(name.slice(topic.length + 1));
      const files = readdirSync(data, { recursive: true, encoding: 'utf8' });
      const segments = files.filter((file) => isPartition(dirname(file)) && file.endsWith('.log'));
      return segments.reduce((sum, file) => sum + statSync(join(data, file)).size, 0);
    },
    async restore() {
      node.resume();
      if (child === null || hasEnded(child)) await node.start();
    },
  };
  return node;
}
