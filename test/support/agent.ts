/** Runs the built agent, bin/ktc, as an operator would, and watches it through its own endpoint. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { TelemetrySnapshot } from '../../src/telemetry/snapshot.ts';
import { hasEnded } from './children.ts';
import { noTracefsReason } from './tracefs.ts';
import { freePorts, until } from './wait.ts';

export const KTC = join(import.meta.dirname, '../../bin/ktc');

/** What to start as ktc: one that a test has made of it, as test/support/one-filter-for-all.ts does. */
export function programOfKtc(): string {
  return process.env['TEST_KTC'] ?? KTC;
}

/** Why the agent cannot read kernel events here, in one line; null when it can, and tracefs is mounted. */
export function whyNoAgent(): string | null {
  if (noTracefsReason !== null) return noTracefsReason;
  return existsSync(KTC) ? null : `${KTC} is not built: run make build`;
}

/**
 * The beginning of a command line of ktc that nobody runs: the user who is not root. It runs a copy in `directory`, laid
 * as a package lays it, its Node.js beside it, because a checkout may be below a directory that only root enters.
 */
export function asNobody(directory: string): string[] {
  chmodSync(directory, 0o755);
  const installed = join(directory, 'ktc');
  for (const [from, to] of [
    [KTC, installed],
    [`${KTC}.cjs`, `${installed}.cjs`],
    [process.execPath, join(directory, 'node')],
  ] as const) {
    copyFileSync(from, to);
    chmodSync(to, 0o755);
  }
  return ['setpriv', '--reuid=65534', '--clear-groups', installed];
}

export interface RunningAgent {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Writes another configuration into its file. */
  configure(config: object): void;
  status(): Promise<TelemetrySnapshot>;
  /** Whether it goes on reading, and the kernel holds no more than what asking makes. */
  hasReadAll(): Promise<boolean>;
  get(path: string): Promise<{ status: number; body: string }>;
  /** Everything it has logged so far, a JSON object a line. */
  log(): string;
  /** The account it logged when it stopped. */
  finalLedger(): Ledger;
  /** Sends the signal and resolves with the exit code (null after a kill). */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** More than the records of a few connections that ask for the status. */
const ASKING_BYTES = 16_384;

export interface AgentOptions {
  readonly config: object;
  readonly instance?: string;
  /** Wait until it is ready; default true. */
  readonly awaitReady?: boolean;
  /** What comes before bin/ktc on the command line; it has to end as an exec of the rest. */
  readonly prefix?: readonly string[];
}

let started = 0;

/** Starts `ktc run` with a configuration file of its own. */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const [port = 0] = await freePorts(1);
  const directory = mkdtempSync(join(tmpdir(), 'ktc-agent-'));
  const file = join(directory, 'agent.json');
  const instance = options.instance ?? `ktc-test-${process.pid}-${started++}`;
  const configure = (config: object) => {
    const { source, sink } = config as { source?: object; sink?: object };
    const complete = {
      spool: { enabled: false },
      // Tests count the events of their own traffic.
      host_status: { interval_s: 0 },
      telemetry: { http: { port } },
      ...config,
      source: { instance, ...source },
      // No fleet is here to be spread.
      sink: { connect_spread_ms: 0, ...sink },
    };
    writeFileSync(file, JSON.stringify(complete));
  };
  configure(options.config);
  const [program = '', ...args] = [...(options.prefix ?? []), programOfKtc(), 'run', '--config', file];
  // Not a setting of the agent, which would refuse it.
  const { KTC_FAULTS: _, ...env } = process.env;
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  child.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  // Not its exit: what it has said last may be in the pipe still.
  const closed = once(child, 'close');

  async function get(path: string): Promise<{ status: number; body: string }> {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, body: await response.text() };
  }

  const agent: RunningAgent = {
    process: child,
    pid: child.pid ?? 0,
    configure,
    get,
    async status() {
      return JSON.parse((await get('/status')).body) as TelemetrySnapshot;
    },
    async hasReadAll() {
      const { paused, cpus } = (await agent.status()).source;
      return !paused && cpus.every(({ unread_bytes }) => (unread_bytes ?? 0) < ASKING_BYTES);
    },
    log: () => log,
    finalLedger() {
      const line = log.split('\n').find((text) => text.includes('"msg":"stopped"'));
      if (line === undefined) throw new Error(`the agent has not told its account:\n${log}`);
      return (JSON.parse(line) as { ledger: Ledger }).ledger;
    },
    async stop(signal = 'SIGTERM') {
      if (!hasEnded(child)) child.kill(signal);
      await closed;
      return child.exitCode;
    },
  };
  if (options.awaitReady === false) return agent;
  try {
    await until(async () => {
      if (hasEnded(child))
        throw new Error(`the agent ended with ${child.exitCode ?? child.signalCode}:\n${log}`);
      return (await get('/readyz').catch(() => null))?.status === 200;
    }, 'the agent to be ready');
  } catch (error) {
    await agent.stop('SIGKILL');
    throw error;
  }
  return agent;
}
