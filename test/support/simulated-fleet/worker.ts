/**
 * A process with many simulated hosts, each with an agent of its own: normalizer, batches, queue, delivery and Kafka client
 * are those of `ktc run`; the source gives the records of a recording. Only the telemetry endpoint and the log are missing.
 *
 *     node worker.ts '{"first":0,"count":250, …}'
 *
 * Prints its report, a line of JSON, when every agent has delivered something, for each line of its input, and when all agents
 * have stopped, which they do at the end of the input.
 */
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pino } from 'pino';
import { type Agent, createAgent } from '../../../src/agent/agent.ts';
import { createSinks, sinkNames } from '../../../src/agent/assembly/sinks.ts';
import { openSpool } from '../../../src/agent/assembly/spool.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { createLedger, imbalances, type Ledger, total } from '../../../src/ledger/ledger.ts';
import { FAULT_INTERVAL_MS, rateLimited } from '../../../src/telemetry/fault-log.ts';
import { watchProcess } from '../../../src/telemetry/process.ts';
import { until } from '../wait.ts';
import { type CapturedRecord, captureRecords } from './captured.ts';
import { createSimulatedSource } from './source.ts';

const RECORDING = join(import.meta.dirname, '../../recordings/linux-6.18.ktcrec');

export interface WorkerOptions {
  /** The numbers of its hosts. */
  readonly first: number;
  readonly count: number;
  /** In the whole fleet. */
  readonly hosts: number;
  readonly recordsPerSecond: number;
  readonly lingerMs: number;
  readonly brokers: readonly string[];
  readonly topic: string;
}

/** Of all its agents together, since the start. */
export interface WorkerReport {
  readonly emitted: number;
  readonly delivered: number;
  readonly lost: number;
  /** Of the accounts; empty when all is right. */
  readonly imbalances: readonly string[];
  /** Of the process. */
  readonly cpuSeconds: number;
  readonly bytes: number;
  /** Before it had any agent. */
  readonly bytesBefore: number;
}

/** A thousand clients connect at once; on a busy machine that takes minutes. */
const LONGEST_START_MS = 900_000;

const log = pino({ level: 'silent' });
const processWatch = watchProcess();

interface Running {
  readonly agent: Agent;
  readonly ledger: Ledger;
  readonly ended: ReturnType<Agent['run']>;
}

async function startAgent(
  number: number,
  options: WorkerOptions,
  captured: readonly CapturedRecord[],
): Promise<Running> {
  const { hosts, recordsPerSecond, lingerMs, brokers, topic } = options;
  const loaded = loadConfig({
    file: null,
    environment: {},
    flags: {},
    embedded: {
      host: { labels: { rack: `r${number % 40}`, role: 'web', datacenter: 'a' } },
      batch: { linger_ms: lingerMs },
      spool: { enabled: false },
      sink: { kafka: { enabled: true, brokers, topic } },
      dead_letter: { path: '' },
    },
  });
  if (!loaded.ok) throw new Error(loaded.problem);
  const { config, secrets } = loaded.value;
  const source = createSimulatedSource({ number, hosts, recordsPerSecond, lingerMs }, captured);
  const ledger = createLedger(sinkNames(config));
  const faults = rateLimited(log, { intervalMs: FAULT_INTERVAL_MS });
  const spool = await openSpool(config, ledger, faults, log);
  if (!spool.ok) throw new Error(spool.problem);
  const surroundings = {
    version: 'simulated',
    host: source.kernel.hostName,
    secrets,
    log,
    onStdoutClosed() {},
  };
  const agent = createAgent({
    ...{ config, source, ledger, spool: spool.value, log, faults, processWatch },
    sinks: createSinks(config, surroundings),
    version: 'simulated',
    onDelivered() {},
    onStopping() {},
  });
  return { agent, ledger, ended: agent.run() };
}

const deliveredOf = ({ sinks }: Ledger): number => sinks['kafka']?.delivered ?? 0;

function reportOf(running: readonly Running[], bytesBefore: number): WorkerReport {
  const sum = (of: (ledger: Ledger) => number): number =>
    running.reduce((all, { ledger }) => all + of(ledger), 0);
  const { user, system } = process.cpuUsage();
  return {
    emitted: sum(({ emitted }) => emitted),
    delivered: sum(deliveredOf),
    lost: sum(({ lost }) => total(lost)),
    imbalances: running.flatMap(({ ledger }) => imbalances(ledger)),
    cpuSeconds: (user + system) / 1e6,
    bytes: process.memoryUsage.rss(),
    bytesBefore,
  };
}

const options = JSON.parse(process.argv[2] ?? '') as WorkerOptions;
const captured = await captureRecords(RECORDING);
const bytesBefore = process.memoryUsage.rss();
const running = await Promise.all(
  Array.from({ length: options.count }, (_, index) => startAgent(options.first + index, options, captured)),
);
await until(() => running.every(({ ledger }) => deliveredOf(ledger) > 0), 'every agent to deliver', {
  deadlineMs: LONGEST_START_MS,
});
const print = () => console.log(JSON.stringify(reportOf(running, bytesBefore)));
print();
for await (const _ of createInterface({ input: process.stdin })) print();

for (const { agent } of running) agent.stop();
for (const { ended } of running) {
  const result = await ended;
  if (!result.ok) throw new Error(result.problem);
}
print();
processWatch.close();
