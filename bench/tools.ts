/** The tools as a person feels them: how soon the first line is there, and what one costs that has nothing to show. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { onlineCpus } from '../src/source/ftrace/instance.ts';
import { KTC } from '../test/support/agent.ts';
import { startTool, stopTools } from '../test/support/tool.ts';
import { INSTANCES } from '../test/support/tracefs.ts';
import { knock } from '../test/support/traffic/traffic.ts';
import { until } from '../test/support/wait.ts';
import { cpuSeconds } from './process.ts';
import { type Bench, median, spread } from './report.ts';

const PAUSE = { pauseMs: 2 };
/** Its start is over by then, and the last look at what connection tracking may hold too. */
const QUIET_MS = 8_000;
const INTERVAL_MS = 3_000;
const MOST_INTERVALS = 20;

interface FirstLine {
  /** From the command to its header. */
  readonly headerMs: number;
  /** From connect(2) to its line. */
  readonly eventMs: number;
}

/** Of tcpconnect in a terminal, and a connection that is refused. */
async function measureFirstLine(): Promise<FirstLine> {
  const command = `stty cols 80 rows 24; exec ${KTC} tcpconnect`;
  const startedAt = performance.now();
  const terminal = spawn('script', ['-qefc', command, '/dev/null'], {
    env: { ...process.env, SHELL: '/bin/sh' },
  });
  let shown = '';
  terminal.stdout.setEncoding('utf8').on('data', (data: string) => {
    shown += data;
  });
  const ended = once(terminal, 'close');
  await until(() => shown.includes('DPORT'), 'the header', PAUSE);
  const headerMs = performance.now() - startedAt;
  const knockedAt = performance.now();
  await knock(1);
  await until(() => shown.includes('127.0.0.1'), 'the event', PAUSE);
  const eventMs = performance.now() - knockedAt;
  terminal.stdin.write('\x03');
  await ended;
  return { headerMs, eventMs };
}

/** Shares of a core, in intervals in which no record comes: what others open over IPv6 wakes it. */
async function measureIdle(quick: boolean): Promise<number[]> {
  const tool = await startTool('tcpretrans', '--source', 'tracepoints', '-6', '--local-port', '1');
  const recorded = () =>
    onlineCpus()
      .map((cpu) => readFileSync(`${INSTANCES}/ktc-tcpretrans-${tool.pid}/per_cpu/cpu${cpu}/stats`, 'utf8'))
      .flatMap((stats) => [...stats.matchAll(/^(?:entries|read events): (\d+)/gm)])
      .reduce((sum, [, count]) => sum + Number(count), 0);
  try {
    await delay(quick ? 1_000 : QUIET_MS);
    const shares: number[] = [];
    for (let tries = 0; tries < MOST_INTERVALS && shares.length < (quick ? 1 : 5); tries++) {
      const [cpuBefore, recordsBefore] = [cpuSeconds(tool.pid), recorded()];
      await delay(INTERVAL_MS);
      const share = ((cpuSeconds(tool.pid) - cpuBefore) * 1000) / INTERVAL_MS;
      if (recorded() === recordsBefore) shares.push(share);
    }
    return shares;
  } finally {
    await stopTools();
  }
}

export const tools: Bench = async (quick) => {
  const lines: FirstLine[] = [];
  for (let round = 0; round < (quick ? 1 : 5); round++) lines.push(await measureFirstLine());
  const idle = await measureIdle(quick);
  const together = lines.map(({ headerMs, eventMs }) => headerMs + eventMs);
  return {
    tables: [
      {
        title: 'The tools',
        script: 'bench/tools.ts',
        columns: ['', ''],
        rows: [
          ['from the command to its header, ms', spread(lines.map(({ headerMs }) => headerMs))],
          ['from connect(2) to its line, ms', spread(lines.map(({ eventMs }) => eventMs))],
          ['with nothing to show, % of a core', spread(idle.map((share) => share * 100))],
        ],
        notes: [
          `The first two rows are tcpconnect in a terminal and a connection that is refused. The last row is tcpretrans -6 with the filter of a port that no program uses, in intervals of ${INTERVAL_MS / 1000} s. V8 returns memory in two collections of 15 ms, 8 s after its last scavenge, also after the start. The median leaves these out; permanent work is in every interval.`,
        ],
      },
    ],
    bars: [
      {
        what: 'tool: start to header and connect(2) to line',
        value: median(together),
        limit: 400,
        unit: 'ms',
      },
      { what: 'tool with nothing to show', value: median(idle) * 100, limit: 0.2, unit: '% of a core' },
    ],
  };
};
