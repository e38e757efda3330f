/** A real agent with its spool on under steady real events, and the account that a row of the fault matrix ends with. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { imbalances, type Ledger, type SinkAccount, total } from '../../../src/ledger/ledger.ts';
import { type RunningAgent, startAgent } from '../../support/agent.ts';
import type { Account } from '../../support/event-account.ts';
import { memoryOf } from '../../support/memory.ts';
import { startSteady } from '../../support/traffic/traffic.ts';
import { until } from '../../support/wait.ts';
import { tellRow } from './row.ts';

/** Ten changes of state, and what follows from them: connect, its latency, and the end of either side. */
const EVENTS_PER_CONNECTION = 14;
/** 2,500 events per second. */
const CONNECTIONS_PER_SECOND = 180;
const LONGEST_TRAFFIC_S = 7_200;

let started = 0;

export interface Load {
  /** The one that runs now. */
  readonly agent: RunningAgent;
  /** Kills the agent with SIGKILL and starts another on the same spool and ftrace instance. */
  restart(): Promise<void>;
  ledgerOf(sink: string): Promise<SinkAccount>;
  /** Waits until a sink has acknowledged `events` more. */
  more(sink: string, events: number): Promise<void>;
  /** Waits until a sink's problem tells this. */
  problem(sink: string, expected: RegExp): Promise<void>;
  /** Waits until nothing is acknowledged for a second; how much was until then. */
  standstill(sink: string): Promise<number>;
  /** Ends the traffic, lets the agent deliver everything, and stops it. */
  finish(): Promise<Ending>;
  /** Ends and removes everything; safe after `finish`. */
  close(): Promise<void>;
}

export interface Ending {
  readonly ledger: Ledger;
  /** That the traffic made, by its own count. */
  readonly connections: number;
  readonly seconds: number;
  readonly peakMemory: number;
  /** What each sink refused, by the dead letters. */
  readonly refused: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface LoadOptions {
  /** `sink` of the configuration. */
  readonly sink: Readonly<Record<string, object | number>>;
  readonly connectionsPerSecond?: number;
  /** Where the connections are made. */
  readonly namespace?: string;
}

export async function startLoad(options: LoadOptions): Promise<Load> {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-faults-'));
  const spool = join(directory, 'spool');
  mkdirSync(spool, { mode: 0o700 });
  const deadLetters = join(directory, 'dead-letter.ndjson');
  const config = {
    source: { buffer_kb: 16_384 },
    // Holds 12 minutes, and what others do on this kernel.
    spool: { enabled: true, directory: spool, max_bytes: 8 * 2 ** 30 },
    dead_letter: { path: deadLetters },
    shutdown: { timeout_s: 60 },
    sink: { retry_max_ms: 1_000, ...options.sink },
  };
  const instance = `ktc-faults-${process.pid}-${started++}`;
  let agent = await startAgent({ config, instance });
  const startedAt = performance.now();
  const traffic = await startSteady({
    perSecond: options.connectionsPerSecond ?? CONNECTIONS_PER_SECOND,
    seconds: LONGEST_TRAFFIC_S,
    ...(options.namespace !== undefined && { namespace: options.namespace }),
  });
  let ended = false;
  const endTraffic = () => {
    ended = true;
    return traffic.stop();
  };

  const ledgerOf = async (sink: string) => {
    const found = (await agent.status()).ledger.sinks[sink];
    if (found === undefined) throw new Error(`the agent has no sink ${sink}`);
    return found;
  };
  const more = async (sink: string, events: number) => {
    const wanted = (await ledgerOf(sink)).delivered + events;
    await until(async () => (await ledgerOf(sink)).delivered >= wanted, `${events} more events delivered`);
  };
  return {
    get agent() {
      return agent;
    },
    async restart() {
      await agent.stop('SIGKILL');
      agent = await startAgent({ config, instance });
    },
    ledgerOf,
    more,
    problem: (sink, expected) =>
      until(
        async () => expected.test((await agent.status()).sinks[sink]?.problem ?? ''),
        `sink ${sink} to have the problem ${expected}`,
      ),
    async standstill(sink) {
      let before = -1;
      await until(async () => {
        const { delivered } = await ledgerOf(sink);
        const stands = delivered === before;
        before = delivered;
        if (!stands) await delay(1_000);
        return stands;
      }, 'nothing to be delivered any more');
      return before;
    },
    async finish() {
      const { connections } = await endTraffic();
      const memory = memoryOf(agent.pid, 'VmHWM');
      expect(await agent.stop()).toBe(0);
      return {
        ledger: agent.finalLedger(),
        connections,
        seconds: (performance.now() - startedAt) / 1_000,
        peakMemory: memory,
        refused: readDeadLetters(deadLetters),
      };
    },
    async close() {
      if (!ended) await endTraffic();
      await agent.stop('SIGKILL');
      rmSync(directory, { recursive: true });
    },
  };
}

/** Runs `fault` while events come, and closes the load whatever happens. */
export async function underLoad(options: LoadOptions, fault: (load: Load) => Promise<void>): Promise<Ending> {
  const load = await startLoad(options);
  try {
    for (const sink of sinksOf(options)) await load.more(sink, 1_000);
    await fault(load);
    for (const sink of sinksOf(options)) await load.more(sink, 1_000);
    return await load.finish();
  } catch (error) {
    console.log(load.agent.log());
    throw error;
  } finally {
    await load.close();
  }
}

function sinksOf({ sink }: LoadOptions): string[] {
  return Object.keys(sink).filter((name) => typeof sink[name] === 'object');
}

/**
 * What another consumer has found is what the agent has read, less what its ledger counts as lost, event for event.
 * Prints the row of the table.
 */
export function expectExact(row: string, sink: string, account: Account, ending: Ending): void {
  const { ledger, refused } = ending;
  const own = ledger.sinks[sink];
  if (own === undefined) throw new Error(`the agent has no sink ${sink}`);
  const rejected = total(own.rejected);
  const dropped = total(own.dropped);
  const counted = Object.entries({ ...ledger.lost, ...own.rejected, ...own.dropped });
  tellRow({
    row,
    perSecond: ledger.emitted / ending.seconds,
    expected: `${ledger.emitted} events`,
    found: `${account.unique} events`,
    lost: Object.fromEntries(counted.filter(([, amount]) => amount > 0)),
    doubled: account.doubled,
    peakMemory: ending.peakMemory,
    measured: '',
  });
  expect(imbalances(ledger)).toEqual([]);
  // By the traffic's own count; other programs have connections too.
  if (ledger.lost['kernel_overrun'] === 0) {
    expect(ledger.emitted).toBeGreaterThanOrEqual(EVENTS_PER_CONNECTION * ending.connections);
  }
  expect(own).toMatchObject({ queued: 0, spooled: 0, in_flight: 0 });
  expect(account.unique).toBe(ledger.emitted - rejected - dropped);
  expect(account.unique).toBe(own.delivered);
  expect(account.changed).toEqual([]);
  // The numbers of events have holes only where something was refused, and all of that was kept.
  expect(account.missing).toBeLessThanOrEqual(rejected + dropped);
  const letters = [...(refused.get(sink) ?? [])];
  expect(letters.filter((id) => !account.has(id)).length).toBe(rejected);
  // A receiver that does not say which events it has refused leaves the whole batch under suspicion.
  if (own.rejected['partial_success'] === undefined) expect(letters.length).toBe(rejected);
}

interface Letter {
  readonly sink: string;
  readonly reason: string;
  readonly event: { readonly event_id: string };
}

function readDeadLetters(path: string): Map<string, Set<string>> {
  const refused = new Map<string, Set<string>>();
  for (const file of [`${path}.1`, path]) {
    for (const line of readLines(file)) {
      const { sink, event } = JSON.parse(line) as Letter;
      refused.set(sink, (refused.get(sink) ?? new Set()).add(event.event_id));
    }
  }
  return refused;
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
