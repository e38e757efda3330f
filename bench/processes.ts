/** What it costs to know the process of every event, on a host where processes begin and end all the time. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startAgent } from '../test/support/agent.ts';
import { compile } from '../test/support/traffic/traffic.ts';
import { probesOf } from './probes.ts';
import { cpuWhenQuiet } from './process.ts';
import { type Bench, figure, median, spread } from './report.ts';

/** One of fork, one of exec. */
const RECORDS_PER_PROCESS = 2;

interface Forks {
  /** Of fork(2), exec(2) and exit(2) of one process after the other, whole. */
  readonly usPerProcess: number;
  /** Of the agent. */
  readonly agentUsPerProcess: number;
}

async function runProcesses(processes: number): Promise<number> {
  const program = await compile('short-lived');
  const from = performance.now();
  const child = spawn(program, ['true', `${processes}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${program} ended with ${code}`);
  return ((performance.now() - from) * 1000) / processes;
}

async function measureAgent(processTracking: boolean, processes: number): Promise<Forks> {
  const agent = await startAgent({
    config: {
      source: { kind: 'tracepoints', process_tracking: processTracking, probes: probesOf('steady') },
      sink: { file: { enabled: true, path: '/dev/null' } },
    },
  });
  const taskRecords = async () => (await agent.status()).ledger.filtered.task ?? 0;
  try {
    // The first ones compile the code.
    await runProcesses(Math.min(processes, 2_000));
    const before = await cpuWhenQuiet(agent.pid);
    const readBefore = await taskRecords();
    const usPerProcess = await runProcesses(processes);
    const used = (await cpuWhenQuiet(agent.pid)) - before;
    // Those of other programs are among them.
    const followed = ((await taskRecords()) - readBefore) / RECORDS_PER_PROCESS;
    return { usPerProcess, agentUsPerProcess: (used * 1e6) / Math.max(followed, processes) };
  } finally {
    await agent.stop();
  }
}

export const processes: Bench = async (quick) => {
  const count = quick ? 2_000 : 20_000;
  const rounds = quick ? 1 : 3;
  const alone: number[] = [];
  const asked: Forks[] = [];
  const followed: Forks[] = [];
  // In turns, because a machine is faster at one time than at another.
  for (let round = 0; round < rounds; round++) {
    alone.push(await runProcesses(count));
    asked.push(await measureAgent(false, count));
    followed.push(await measureAgent(true, count));
  }
  const ofAgent = followed.map((round) => round.agentUsPerProcess);
  const row = (name: string, times: readonly number[], agent: readonly number[]): string[] => [
    ...[name, spread(times), agent.length === 0 ? '' : spread(agent)],
    agent.length === 0 ? '' : `${figure((median(agent) * 1_000) / 1e4)} %`,
  ];
  return {
    tables: [
      {
        title: 'Processes that begin and end',
        script: 'bench/processes.ts',
        columns: ['', 'µs per process', 'CPU µs of the agent per process', 'of a core at 1,000 processes/s'],
        rows: [
          row('no agent', alone, []),
          row(
            'agent, source.process_tracking false',
            asked.map((round) => round.usPerProcess),
            asked.map((round) => round.agentUsPerProcess),
          ),
          row(
            'agent, source.process_tracking true',
            followed.map((round) => round.usPerProcess),
            ofAgent,
          ),
        ],
        notes: [
          `One process after the other calls fork, exec of /bin/true and exit, ${count.toLocaleString('en')} times, without any TCP; each makes two records. Each figure is the median (lowest–highest) of ${rounds} rounds. What a process takes from fork to exit has the cost of recording in it, and what the agent takes from the machine's two CPUs meanwhile.`,
        ],
      },
    ],
    bars: [
      {
        what: 'following a process that begins, calls exec and ends, CPU of the agent',
        value: median(ofAgent),
        limit: 10,
        unit: 'µs',
      },
    ],
  };
};
