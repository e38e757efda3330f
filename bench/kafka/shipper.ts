/** Other programs that bring lines to Kafka, as the agent does: all replicas acknowledge, gzip level 1, linger 240 ms. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Broker } from '../../test/support/kafka.ts';
import { memoryOf } from '../../test/support/memory.ts';
import { until } from '../../test/support/wait.ts';
import { cpuSeconds, cpuWhenQuiet } from '../process.ts';
import { feed } from './feed.ts';
import { topicSize } from './topic.ts';

/** Events in a file, one a line. */
export interface Lines {
  readonly path: string;
  readonly bytes: number;
  readonly events: number;
}

export interface ShipperRun {
  /** For so many events. */
  readonly cpuSeconds: number;
  readonly events: number;
  readonly peakBytes: number;
  readonly delivered: number;
}

interface Shipper {
  readonly process: ChildProcess;
  write(piece: Buffer): Promise<void>;
  stop(): Promise<void>;
}

export type StartShipper = (broker: Broker, topic: string) => Promise<Shipper>;

const DEADLINE_MS = 120_000;

export const startKcat: StartShipper = async (broker, topic) => {
  const settings = [
    'acks=all',
    'linger.ms=240',
    'compression.level=1',
    'queue.buffering.max.messages=1000000',
  ];
  const args = [
    '-b',
    broker.address,
    '-P',
    '-t',
    topic,
    '-z',
    'gzip',
    ...settings.flatMap((each) => ['-X', each]),
  ];
  const child = spawn('kcat', args, { stdio: ['pipe', 'ignore', 'inherit'] });
  const exit = once(child, 'exit');
  return {
    process: child,
    async write(piece) {
      if (!child.stdin.write(piece)) await once(child.stdin, 'drain');
    },
    async stop() {
      child.stdin.end();
      await exit;
    },
  };
};

export const startRsyslog: StartShipper = async (broker, topic) => {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-bench-rsyslog-'));
  const [file, pidFile] = [join(directory, 'events.ndjson'), join(directory, 'pid')];
  writeFileSync(file, '');
  const child = spawn('rsyslogd', ['-n', '-f', join(import.meta.dirname, 'rsyslog.conf'), '-i', pidFile], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      KTC_BENCH_DIRECTORY: directory,
      KTC_BENCH_FILE: file,
      KTC_BENCH_BROKER: broker.address,
      KTC_BENCH_TOPIC: topic,
    },
  });
  const exit = once(child, 'exit');
  await until(() => existsSync(pidFile), 'rsyslogd to start');
  return {
    process: child,
    write: async (piece) => appendFileSync(file, piece),
    async stop() {
      child.kill('SIGTERM');
      await exit;
      rmSync(directory, { recursive: true });
    },
  };
};

/** Feeds the lines evenly over `seconds` and waits until the shipper has done its work. */
export async function runShipper(
  start: StartShipper,
  broker: Broker,
  topic: string,
  lines: Lines,
  seconds: number,
): Promise<ShipperRun> {
  const shipper = await start(broker, topic);
  const pid = shipper.process.pid ?? 0;
  const before = cpuSeconds(pid);
  await feed(lines.path, lines.bytes, seconds, shipper.write);
  const used = (await cpuWhenQuiet(pid, DEADLINE_MS)) - before;
  // kcat keeps the last lines to itself until its input ends, and then it is gone.
  const measured = await topicSize(broker, topic);
  const peakBytes = memoryOf(pid, 'VmHWM');
  await shipper.stop();
  return { cpuSeconds: used, events: measured, peakBytes, delivered: await topicSize(broker, topic) };
}
