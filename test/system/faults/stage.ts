/**
 * What a row of the fault matrix about agent, spool or host plays on: steady connections that nobody else's filter sees,
 * a spool, a file that stands for the sink, and one ftrace instance for all the agents that run one after the other.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Ledger, SinkAccount } from '../../../src/ledger/ledger.ts';
import { bufferCpus, removeInstance } from '../../../src/source/ftrace/instance.ts';
import { openStats } from '../../../src/source/ftrace/stats.ts';
import { openTracefs } from '../../../src/source/ftrace/tracefs.ts';
import { mapProbes, PROBE_OFF } from '../../../src/source/probes.ts';
import { type RunningAgent, startAgent } from '../../support/agent.ts';
import { memoryOf } from '../../support/memory.ts';
import { openPlace } from '../../support/namespace.ts';
import { type SteadyTraffic, startSteady } from '../../support/traffic/traffic.ts';
import { until } from '../../support/wait.ts';
import { type Found, findEvents } from './found.ts';

/** A connection makes ten kernel records, and fourteen events: 2,300 records and 3,200 events per second. */
const CONNECTIONS_PER_SECOND = 230;
export const RECORDS_PER_SECOND = 10 * CONNECTIONS_PER_SECOND;
const LONGEST_TRAFFIC_S = 7_200;
/** Below the ports that the kernel chooses, so that no other program's connection has it. */
const FIRST_PORT = 20_000;
const PORTS = 12_000;

/** The kernel's own counters of an ftrace instance, all CPUs together. */
export interface KernelCounts {
  readonly read: number;
  readonly entries: number;
  /** Overwritten, or no room for it. */
  readonly lost: number;
}

export interface StageOptions {
  /** `source` and `spool` beside what the stage sets, and the sink's file. */
  readonly source?: object;
  readonly spool?: object;
  readonly queue?: object;
  readonly batch?: object;
  readonly sinkPath?: string;
  readonly spoolDirectory?: string;
  readonly shutdownSeconds?: number;
}

export interface StartOptions {
  /** Words in front of bin/ktc. */
  readonly prefix?: readonly string[];
  readonly awaitReady?: boolean;
}

export interface Stage {
  readonly directory: string;
  readonly spool: string;
  readonly sinkPath: string;
  /** In tracefs. */
  readonly instance: string;
  /** The agent that was started last. */
  readonly agent: RunningAgent;
  start(options?: StartOptions): Promise<RunningAgent>;
  /** Ends the agent and keeps its account, or what its log tells when it is killed. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** Begins to make connections. */
  traffic(): Promise<void>;
  endTraffic(): Promise<void>;
  kernel(): KernelCounts;
  /** What the last agent has said. */
  log(): string;
  /** Of the sink, at this moment. */
  account(): Promise<SinkAccount>;
  /** Waits until the agent has delivered so many events more. */
  delivers(events: number): Promise<void>;
  /** Waits until so many wait in the spool. */
  spools(events: number): Promise<void>;
  /** Waits until the agent has said this. */
  says(text: string): Promise<void>;
  /** Waits until the kernel has nothing more and everything is delivered. */
  settle(): Promise<void>;
  /** Ends traffic and agent in order, and gives the account of all runs. */
  finish(): Promise<Ending>;
  /** Removes everything, whatever has happened. */
  close(): Promise<void>;
}

export interface Ending {
  /** Of the ftrace instance before the last agent ended, which removes it. */
  readonly kernel: KernelCounts;
  readonly found: Found;
  /** Of the runs that ended in order. */
  readonly ledgers: readonly Ledger[];
  /** Records that each killed run had read and not spooled, as the next ones counted. */
  readonly crashes: readonly number[];
  readonly kills: number;
  readonly seconds: number;
  /** Bytes, of the last run. */
  readonly peakMemory: number;
}

let staged = 0;

export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const tracefs = openTracefs();
  if (!tracefs.ok) throw new Error(tracefs.problem);
  const place = await openPlace();
  const directory = mkdtempSync(join(tmpdir(), 'ktc-stage-'));
  const spool = options.spoolDirectory ?? join(directory, 'spool');
  if (options.spoolDirectory === undefined) mkdirSync(spool, { mode: 0o700 });
  const sinkPath = options.sinkPath ?? join(directory, 'events.ndjson');
  const ordinal = staged++;
  const instance = `ktc-stage-${process.pid}-${ordinal}`;
  const traced = { path: `${tracefs.value}/instances/${instance}`, takenOver: false };
  const port = FIRST_PORT + ((process.pid * 16 + ordinal) % PORTS);
  const filter = `sport == ${port} || dport == ${port}`;
  const probe = { enabled: true, filter };
  const config = {
    source: {
      kind: 'tracepoints',
      buffer_kb: 16_384,
      // The account is of the records of one program's connections, and every program of the machine makes tasks.
      process_tracking: false,
      ...options.source,
      probes: {
        ...mapProbes(() => probe),
        // Its record has no port to filter by.
        tcp_send_reset: PROBE_OFF,
      },
    },
    spool: { enabled: true, directory: spool, ...options.spool },
    ...(options.queue && { queue: options.queue }),
    ...(options.batch && { batch: options.batch }),
    dead_letter: { path: '' },
    shutdown: { timeout_s: options.shutdownSeconds ?? 60 },
    sink: { retry_max_ms: 500, file: { enabled: true, path: sinkPath, max_bytes: 2 ** 40 } },
  };

  let agent: RunningAgent | null = null;
  let traffic: SteadyTraffic | null = null;
  let trafficBegan = 0;
  let seconds = 0;
  let kills = 0;
  const ledgers: Ledger[] = [];
  const crashes: number[] = [];

  const current = () => {
    if (agent === null) throw new Error('no agent was started');
    return agent;
  };

  function kernel(): KernelCounts {
    const cpus = bufferCpus(traced);
    const stats = openStats(traced, cpus);
    const counts = { read: 0, entries: 0, lost: 0 };
    for (let cpu = 0; cpu < cpus; cpu++) {
      const found = stats.read(cpu);
      if (found === null) continue;
      counts.read += found.read;
      counts.entries += found.entries;
      counts.lost += found.overrun + found.dropped;
    }
    stats.close();
    return counts;
  }

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const stopped = current();
    const exitCode = await stopped.stop(signal);
    const lines = stopped.log().split('\n');
    crashes.push(...lines.flatMap(crashOf));
    if (exitCode === null) kills++;
    else if (exitCode === 0) ledgers.push(stopped.finalLedger());
    return exitCode;
  }

  async function endTraffic(): Promise<void> {
    if (traffic === null) return;
    const { stop: end } = traffic;
    traffic = null;
    await end();
    seconds += (performance.now() - trafficBegan) / 1_000;
  }

  async function account(): Promise<SinkAccount> {
    const { file } = (await current().status()).ledger.sinks;
    if (file === undefined) throw new Error('the agent has no file sink');
    return file;
  }

  async function settle(): Promise<void> {
    let before = -1;
    await until(async () => {
      const { ledger } = await current().status();
      const { queued = 0, spooled = 0, in_flight = 0 } = ledger.sinks['file'] ?? {};
      const isEmpty = kernel().entries + ledger.held + queued + spooled + in_flight === 0;
      const isSame = ledger.read === before;
      before = ledger.read;
      return isEmpty && isSame;
    }, 'everything to be read and delivered');
  }

  return {
    directory,
    spool,
    sinkPath,
    instance: traced.path,
    get agent() {
      return current();
    },
    async start(startOptions = {}) {
      agent = await startAgent({ config, instance, ...startOptions });
      return agent;
    },
    stop,
    async traffic() {
      trafficBegan = performance.now();
      traffic = await startSteady({
        perSecond: CONNECTIONS_PER_SECOND,
        seconds: LONGEST_TRAFFIC_S,
        namespace: place.namespace,
        port,
      });
    },
    endTraffic,
    kernel,
    log: () => agent?.log() ?? '',
    account,
    async delivers(events) {
      const wanted = (await account()).delivered + events;
      const what = `${events} more events to be delivered`;
      await until(async () => (await account()).delivered >= wanted, what);
    },
    spools: (events) =>
      until(async () => (await account()).spooled >= events, `${events} events in the spool`),
    says: (text) => until(() => current().log().includes(text), `the agent to say: ${text}`),
    settle,
    async finish() {
      await endTraffic();
      await settle();
      const counts = kernel();
      const memory = memoryOf(current().pid, 'VmHWM');
      const exitCode = await stop();
      if (exitCode !== 0) throw new Error(`the agent ended with ${exitCode}:\n${current().log()}`);
      const found = await findEvents(sinkPath);
      return { kernel: counts, found, ledgers, crashes, kills, seconds, peakMemory: memory };
    },
    async close() {
      await endTraffic();
      await agent?.stop('SIGKILL');
      removeInstance(traced);
      await place.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Plays a row, and removes its stage whatever happens; what the agents said is told where it fails. */
export async function onStage<Result>(
  options: StageOptions,
  play: (stage: Stage) => Promise<Result>,
): Promise<Result> {
  const stage = await openStage(options);
  try {
    return await play(stage);
  } catch (error) {
    console.log(stage.log());
    throw error;
  } finally {
    await stage.close();
  }
}

function crashOf(line: string): number[] {
  if (!line.includes('"msg":"the agent before this one was killed')) return [];
  return [(JSON.parse(line) as { records: number }).records];
}
