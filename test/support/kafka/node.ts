/** One Kafka process: its files, its start, and the ways it can fail. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { enter } from '../namespace.ts';
import { suspend } from '../suspend.ts';
import { DEADLINE_MS } from '../wait.ts';

const run = promisify(execFile);

export const LIBRARIES = join(import.meta.dirname, '../../../.cache/kafka/libs');
// A test's broker lives for seconds: the quick compiler and the small collector start it in half the time.
const JAVA = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', `${LIBRARIES}/*`];
const QUIET = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
export const SHA_512 = 'SCRAM-SHA-512';
export const SCRAM = ['SCRAM-SHA-256', SHA_512] as const;
/** After SIGTERM; what hangs is killed. */
const STOP_DEADLINE_MS = 60_000;

export interface KafkaNode {
  /** Starts, again with the same data and ports, and resolves when it serves its listeners. */
  start(): Promise<void>;
  /** SIGTERM, and SIGKILL if that is not enough; resolves when the process is gone. */
  stop(): Promise<void>;
  /** SIGKILL: what a crash leaves behind. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. Resolves when every thread has stopped. */
  pause(): Promise<void>;
  /** SIGCONT. */
  resume(): void;
  /** Runs and answers again, whatever was done to it: what a test that has failed leaves behind. */
  restore(): Promise<void>;
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
  await run('java', [QUIET, ...JAVA, mainClass, ...words]);
}

/** Formats the data directory; the node is not started yet. */
export async function createNode(options: NodeOptions): Promise<KafkaNode> {
  const { directory, properties, clusterId } = options;
  const java = [`-Xmx${options.heapMiB}m`, ...JAVA];
  const propertiesFile = join(directory, 'server.properties');
  const logFile = join(directory, 'broker.log');
  writeFileSync(
    propertiesFile,
    Object.entries({ ...properties, 'log.dirs': join(directory, 'data') })
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
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
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill(signal);
    // SIGTERM waits for SIGCONT in a process that is stopped.
    if (signal !== 'SIGKILL') running.kill('SIGCONT');
    const lastResort = setTimeout(() => running.kill('SIGKILL'), STOP_DEADLINE_MS);
    await gone;
    clearTimeout(lastResort);
  };

  const node: KafkaNode = {
    async start() {
      const log = openSync(logFile, 'w');
      // setpriv: a test that crashes takes its broker with it.
      const [command = '', ...args] = [
        ...(options.namespace === undefined ? [] : enter(options.namespace)),
        ...['setpriv', '--pdeathsig', 'KILL', 'java', ...java, 'kafka.Kafka', propertiesFile],
      ];
      const started = spawn(command, args, { stdio: ['ignore', log, log] });
      closeSync(log);
      child = started;
      const failed = (what: string) => {
        const tail = readFileSync(logFile, 'utf8').split('\n').slice(-15).join('\n');
        return new Error(`Kafka on ${properties['listeners']}: ${what}\n${tail}`);
      };
      const deadline = performance.now() + DEADLINE_MS;
      while (!readFileSync(logFile, 'utf8').includes('Kafka Server started')) {
        if (started.exitCode !== null || started.signalCode !== null) throw failed('ended while starting');
        if (performance.now() > deadline) throw failed(`not up within ${DEADLINE_MS} ms`);
        await delay(50);
      }
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async pause() {
      const pid = child?.pid;
      if (pid === undefined) throw new Error('a broker that does not run cannot be paused');
      await suspend(pid);
    },
    resume: () => void child?.kill('SIGCONT'),
    async restore() {
      node.resume();
      if (child === null || child.exitCode !== null || child.signalCode !== null) await node.start();
    },
  };
  return node;
}
