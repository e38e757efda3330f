/** What the agent costs at rest, connected to Kafka and nothing to tell, and on a host with little to tell. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ACCOUNT, withAccount } from '../test/support/accounts.ts';
import { startAgent } from '../test/support/agent.ts';
import { keepersOf } from '../test/support/children.ts';
import { type Broker, startBroker } from '../test/support/kafka.ts';
import { startSteady } from '../test/support/traffic/traffic.ts';
import { warmUp } from './agent.ts';
import { probesOf } from './probes.ts';
import { cpuWhenQuiet, type ThreadCost, threadCosts } from './process.ts';
import { type Bench, figure } from './report.ts';
import { MEMORY_NOTE, type MemoryParts, memoryParts, memoryRows, totalBytes } from './smaps.ts';

const TOPIC = 'idle';
const LONGEST_TRAFFIC_S = 600;
/** As often as a source reads that reads for a tool (src/cli/tool.ts). */
const TIMER = 'setInterval(() => {}, 30)';

interface Rate {
  readonly share: number;
  readonly wakeUps: number;
}

function rateOf(before: readonly ThreadCost[], after: readonly ThreadCost[], seconds: number): Rate {
  const sum = (threads: readonly ThreadCost[], what: 'cpuSeconds' | 'wakeUps'): number =>
    threads.reduce((total, thread) => total + thread[what], 0);
  return {
    share: (sum(after, 'cpuSeconds') - sum(before, 'cpuSeconds')) / seconds,
    wakeUps: (sum(after, 'wakeUps') - sum(before, 'wakeUps')) / seconds,
  };
}

/** What a process is charged for waking up, and for nothing else: machines, virtual ones above all, differ by far. */
async function measureTimer(seconds: number): Promise<Rate> {
  const child = spawn(process.execPath, ['--eval', TIMER], { stdio: 'ignore' });
  try {
    const pid = child.pid ?? 0;
    await delay(1_000);
    const before = threadCosts(pid);
    await delay(seconds * 1000);
    return rateOf(before, threadCosts(pid), seconds);
  } finally {
    child.kill();
  }
}

const QUIET_EVENTS = 100;
/** Connections per second that make so many events. */
const QUIET_HOST = 7;

/** What the threads of the agent cost, in some seconds. */
interface Period {
  readonly main: Rate;
  readonly others: Rate;
  readonly events: number;
}

interface AgentPeriods {
  readonly rest: Period;
  /** The first of these seconds, in which V8 compiles. */
  readonly firstSeconds: Period;
  readonly quietHost: Period;
  /** Of an agent that has had nothing to do yet. */
  readonly fresh: MemoryParts;
  /** After the work of the warm-up, at 10,000 events/s too. */
  readonly used: MemoryParts;
}

const readMemory = (pid: number): MemoryParts => memoryParts(readFileSync(`/proc/${pid}/smaps`, 'utf8'));

async function measureAgent(broker: Broker, seconds: number): Promise<AgentPeriods> {
  await broker.createTopic(TOPIC, 1);
  const agent = await startAgent({
    config: {
      source: { probes: probesOf('steady') },
      sink: { kafka: { enabled: true, brokers: [broker.address], topic: TOPIC } },
    },
  });
  try {
    await cpuWhenQuiet(agent.pid);
    const fresh = readMemory(agent.pid);
    // At rest after work: what has been sent must not keep it awake.
    await warmUp(QUIET_EVENTS, seconds);
    await cpuWhenQuiet(agent.pid);
    const used = readMemory(agent.pid);
    const measure = async (): Promise<Period> => {
      const { emitted } = (await agent.status()).ledger;
      const before = threadCosts(agent.pid);
      await delay(seconds * 1000);
      const after = threadCosts(agent.pid);
      return {
        main: rateOf(before.slice(0, 1), after.slice(0, 1), seconds),
        others: rateOf(before.slice(1), after.slice(1), seconds),
        events: (await agent.status()).ledger.emitted - emitted,
      };
    };
    const rest = await measure();
    const traffic = await startSteady({ perSecond: QUIET_HOST, seconds: LONGEST_TRAFFIC_S });
    const firstSeconds = await measure();
    // V8 compiles what has run some 400 times, which is what a round does once after two minutes.
    await delay(2 * seconds * 1000);
    const quietHost = await measure();
    await traffic.stop();
    return { rest, firstSeconds, quietHost, fresh, used };
  } finally {
    await agent.stop();
  }
}

/** Of a core, all threads together. */
function percentOf({ main, others }: Period): number {
  return (main.share + others.share) * 100;
}

/** The agent keeps its ftrace instance by a process of root, where it gives root up itself: the memory of that alone. */
async function measureKeeper(): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'ktc-bench-'));
  chmodSync(directory, 0o755);
  const agent = await startAgent({
    prefix: withAccount(directory),
    config: {
      source: { kind: 'tracepoints' },
      process: { user: ACCOUNT.user },
      sink: { file: { enabled: true, path: '/dev/null' } },
    },
  });
  try {
    const [keeper] = keepersOf(agent.pid);
    return Number(/^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${keeper}/smaps_rollup`, 'utf8'))?.[1]);
  } finally {
    await agent.stop();
    rmSync(directory, { recursive: true });
  }
}

export const idle: Bench = async (quick) => {
  // Long enough for what comes once: some seconds after the last work V8 tidies up, which costs about 40 ms.
  const seconds = quick ? 2 : 60;
  const broker = await startBroker();
  try {
    const { rest, firstSeconds, quietHost, fresh, used } = await measureAgent(broker, seconds);
    const perSecond = Math.round(quietHost.events / seconds);
    const timer = await measureTimer(Math.min(seconds, 5));
    const keeper = await measureKeeper();
    const row = (name: string, { share, wakeUps }: Rate): string[] => [
      name,
      `${figure(share * 100)} %`,
      figure(wakeUps),
    ];
    return {
      tables: [
        {
          title: 'At rest, and with little to tell',
          script: 'bench/idle.ts',
          columns: ['', 'of a core', 'wake-ups per second'],
          rows: [
            row('at rest: main thread', rest.main),
            row("at rest: Node.js' other threads", rest.others),
            row(`${perSecond} events/s, the first ${seconds} s: main thread`, firstSeconds.main),
            row(`${perSecond} events/s, the first ${seconds} s: Node.js' other threads`, firstSeconds.others),
            row(`${perSecond} events/s: main thread`, quietHost.main),
            row(`${perSecond} events/s: Node.js' other threads`, quietHost.others),
            row(`for comparison: ${TIMER}`, timer),
          ],
          notes: [
            `This is the whole agent, connected to Kafka, in the first ${seconds} s after its last event, in which it emitted ${rest.events} events, and then on a host with little traffic: in the first ${seconds} s, in which V8 compiles, and ${2 * seconds} s later, when it has compiled what a round of reading does. About 40 ms of the CPU time are one garbage collection that V8 makes when the process has become quiet. The comparison shows what a wake-up that does nothing costs on this machine. The process that keeps the ftrace instance for an agent that has given root up takes ${keeper} kB (Pss).`,
          ],
        },
        {
          title: 'What its memory is',
          script: 'bench/idle.ts',
          columns: ['MB, resident', 'before its first event', 'after 10,000 events/s'],
          rows: memoryRows([fresh, used]),
          notes: [MEMORY_NOTE],
        },
      ],
      bars: [
        { what: 'at rest', value: percentOf(rest), limit: 0.2, unit: '% of a core' },
        { what: 'at 100 events/s', value: percentOf(quietHost), limit: 0.5, unit: '% of a core' },
        { what: 'memory before the first event', value: totalBytes(fresh) / 1e6, limit: 65, unit: 'MB' },
        { what: 'memory of the keeper of the ftrace instance', value: keeper, limit: 1024, unit: 'kB' },
      ],
    };
  } finally {
    await broker.stop();
  }
};
