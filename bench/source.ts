/** The live source alone: how soon it has a record, at rest and under load, and what it costs when none comes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { type KernelSourceOptions, openKernelSource } from '../src/source/kernel.ts';
import { PROBES, TRACEPOINTS } from '../src/source/probes.ts';
import { handlerOf } from '../test/support/record-handler.ts';
import type { OwnerOptions, OwnerUsage } from '../test/support/source-owner.ts';
import { runSteady } from '../test/support/traffic/traffic.ts';
import { type Bench, figure, median, quantile } from './report.ts';

/** As the tools read (src/cli/tool.ts). */
const LINGER_MS = 30;
const CONNECTIONS_PER_SECOND = 1_000;
/** Longer than a linger, so that each connection finds it waiting. */
const REST_MS = 300;
/** V8 collects garbage twice, some 8 s after a program has become quiet (MemoryReducer), or later: that is no rest. */
const QUIET_MS = 12_000;
const INTERVAL_MS = 2_000;

let opened = 0;

/** Changes of state that this filter lets through. */
function optionsFor(filter: string): KernelSourceOptions {
  const probes = Object.fromEntries(
    PROBES.map((name) => [name, { enabled: name === 'tcp_set_state', filter }]),
  ) as KernelSourceOptions['probes'];
  const instance = `ktc-bench-source-${process.pid}-${opened++}`;
  return { catalog: TRACEPOINTS, instance, bufferKb: 4096, lingerMs: LINGER_MS, probes, hostName: '' };
}

interface Listener {
  /** From the kernel's time of each record to its handler, in ms. */
  readonly latencies: number[];
  stop(): Promise<void>;
}

function listen(filter: string): Listener {
  const result = openKernelSource(optionsFor(filter));
  if (!result.ok) throw new Error(result.problem);
  const source = result.value;
  const latencies: number[] = [];
  const done = source.run(
    handlerOf({ record: ({ time }) => void latencies.push((source.clock.now() - time) / 1e6) }),
  );
  return {
    latencies,
    async stop() {
      await source.stop();
      await done;
    },
  };
}

/** One connection after another, and a rest before each. */
async function measureAtRest(rounds: number): Promise<number[]> {
  const server = createServer((socket) => socket.end());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const listener = listen(`sport == ${port} || dport == ${port}`);
  for (let round = 0; round < rounds; round++) {
    await delay(REST_MS);
    await once(connect({ host: '127.0.0.1', port }).resume(), 'close');
  }
  await delay(REST_MS);
  await listener.stop();
  server.close();
  return listener.latencies;
}

async function measureUnderLoad(seconds: number): Promise<{ latencies: number[]; connections: number }> {
  const listener = listen('');
  const { connections } = await runSteady({ perSecond: CONNECTIONS_PER_SECOND, seconds });
  await delay(REST_MS);
  await listener.stop();
  return { latencies: listener.latencies, connections };
}

/** Shares of a core that a process with nothing but the source uses, in intervals in which no record comes. */
async function measureIdle(quick: boolean): Promise<number[]> {
  const options: OwnerOptions = { source: optionsFor('dport == 1'), ready: true };
  const program = join(import.meta.dirname, '../test/support/source-owner.ts');
  const owner = spawn(process.execPath, ['--no-warnings', program, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: owner.stdout })[Symbol.asyncIterator]();
  const answer = async () => JSON.parse((await lines.next()).value ?? '') as OwnerUsage;
  await answer();
  const usage = () => {
    owner.stdin.write('usage\n');
    return answer();
  };
  await delay(quick ? 1_000 : QUIET_MS);
  const shares: number[] = [];
  let before = await usage();
  for (let interval = 0; interval < (quick ? 1 : 5); interval++) {
    await delay(INTERVAL_MS);
    const after = await usage();
    if (after.records === before.records) shares.push((after.cpuMs - before.cpuMs) / INTERVAL_MS);
    before = after;
  }
  const ended = once(owner, 'exit');
  owner.stdin.end('stop\n');
  await ended;
  return shares;
}

export const source: Bench = async (quick) => {
  const seconds = quick ? 1 : 10;
  const atRest = await measureAtRest(quick ? 3 : 30);
  const underLoad = await measureUnderLoad(seconds);
  const idle = await measureIdle(quick);
  const asked = CONNECTIONS_PER_SECOND * seconds;
  const row = (name: string, latencies: readonly number[]): string[] => [
    name,
    String(latencies.length),
    ...[0.5, 0.95, 0.99, 1].map((share) => figure(quantile(latencies, share))),
  ];
  return {
    tables: [
      {
        title: 'From the kernel to a record',
        script: 'bench/source.ts',
        columns: ['', 'records', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms'],
        rows: [
          row('one connection after a rest', atRest),
          row('10,000 records per second', underLoad.latencies),
        ],
        notes: [
          `This is the source alone, in its own process, with a handler that does nothing. Without any record it used ${idle.map((share) => figure(share * 100)).join(', ')} % of a core in intervals of ${INTERVAL_MS / 1000} s.`,
        ],
      },
    ],
    bars: [
      {
        what: 'kernel to record, at rest, 95th percentile',
        value: quantile(atRest, 0.95),
        limit: 50,
        unit: 'ms',
      },
      {
        what: 'kernel to record, at 10,000 records/s, 99th percentile',
        value: quantile(underLoad.latencies, 0.99),
        limit: 50,
        unit: 'ms',
      },
      { what: 'source at rest', value: median(idle) * 100, limit: 0.2, unit: '% of a core' },
      {
        what: `connections that were not made, of ${CONNECTIONS_PER_SECOND.toLocaleString('en')} per second`,
        value: ((asked - underLoad.connections) / asked) * 100,
        limit: 50,
        unit: '%',
      },
    ],
  };
};
