/** Outputs that take no bytes: a pipe that nobody reads, a pager that was stopped, a terminal after Ctrl-S. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hasErrorCode } from '../../src/shared/errors.ts';
import { KTC, whyNoAgent } from '../support/agent.ts';
import { childrenOf } from '../support/children.ts';
import { INSTANCES, isEnabled } from '../support/tracefs.ts';
import { knock } from '../support/traffic/traffic.ts';
import { until } from '../support/wait.ts';

const missing = whyNoAgent();
if (missing) console.warn(`skipped: blocked outputs: ${missing}`);

const directory = mkdtempSync(join(tmpdir(), 'ktc-blocked-'));
const readers: number[] = [];
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  for (const reader of readers) closeSync(reader);
  rmSync(directory, { recursive: true });
});
const INSTANCE = `ktc-blocked-${process.pid}`;
/** Nobody listens there, and no other test connects to it. */
const PORT = 39_078;
/** Each makes some events of some 700 bytes, or lines of some 100: more than a terminal takes. */
const KNOCKS = 100;

interface Blocked {
  /** Of ktc itself. */
  readonly pid: () => number;
  readonly process: ChildProcess;
}

/** The writing end of a pipe of the kernel, as in a shell, that is full and that nobody reads. */
function fullPipe(): number {
  const path = join(directory, `pipe-${readers.length}`);
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  readers.push(reader);
  const filler = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    for (;;) writeSync(filler, Buffer.alloc(4096, ' '));
  } catch (error) {
    if (!hasErrorCode(error, 'EAGAIN')) throw error;
  }
  closeSync(filler);
  return openSync(path, constants.O_WRONLY);
}

function intoPipe(command: readonly string[]): Blocked {
  const writer = fullPipe();
  const child = spawn(KTC, command, { stdio: ['ignore', writer, writer] });
  closeSync(writer);
  children.push(child);
  return { pid: () => child.pid ?? 0, process: child };
}

const CTRL_S = '\x13';

/** Into a terminal whose output was stopped before the first byte. */
function intoTerminal(command: readonly string[]): Blocked {
  const words = ['-qefc', `exec ${KTC} ${command.join(' ')}`, '/dev/null'];
  const child = spawn('script', words, { stdio: ['pipe', 'ignore', 'inherit'] });
  child.stdin.write(CTRL_S);
  children.push(child);
  return { pid: () => childrenOf(child.pid ?? 0)[0] ?? 0, process: child };
}

/** Not of one that has ended and waits for its parent. */
const isAlive = (pid: number) => existsSync(`/proc/${pid}/exe`);

describe.skipIf(missing)('SIGTERM ends, without a SIGKILL,', () => {
  const config = join(directory, 'agent.json');
  writeFileSync(
    config,
    JSON.stringify({
      source: {
        kind: 'tracepoints',
        probes: { tcp_set_state: { filter: `dport == ${PORT}` } },
      },
      spool: { enabled: false },
      dead_letter: { path: '' },
      sink: { stdout: { enabled: true } },
      telemetry: { http: { enabled: false } },
      log: { level: 'debug' },
      shutdown: { timeout_s: 1 },
    }),
  );
  const run = (name: string) => ['run', '--config', config, '--set', `source.instance=${INSTANCE}-${name}`];
  const tool = ['tcpstates', '--source', 'tracepoints', '--remote-port', String(PORT)];
  const replay = ['replay', '--json'];

  // At the same time: a tool waits 10 s for whoever reads its output.
  it.concurrent.each([
    ['run whose pipe is full', intoPipe, run('pipe'), KNOCKS],
    ['run whose terminal has stopped', intoTerminal, run('terminal'), KNOCKS],
    ['a tool whose pipe is full', intoPipe, tool, KNOCKS],
    ['a tool whose terminal has stopped', intoTerminal, tool, KNOCKS],
    ['top whose terminal has stopped', intoTerminal, ['top', '--interval', '0.1'], KNOCKS],
    ['replay whose pipe is full', intoPipe, replay, 0],
    ['replay whose terminal has stopped', intoTerminal, replay, 0],
  ])('%s', async (_, start, command, knocks) => {
    const { pid, process: child } = start(command);
    const ended = once(child, 'exit');
    const instances = () =>
      readdirSync(INSTANCES).filter(
        (name) => command.at(-1)?.endsWith(`=${name}`) || name.endsWith(`-${pid()}`),
      );
    if (knocks > 0) {
      const isTracing = (name: string) => isEnabled(name, 'sock/inet_sock_set_state');
      await until(() => instances().some(isTracing), 'it to trace');
    } else await until(() => isAlive(pid()), 'it to run');
    for (let count = 0; count < knocks; count++) await knock(PORT);
    const number = pid();
    process.kill(number, 'SIGTERM');
    await until(() => !isAlive(number), 'it to end');
    // It hangs with its terminal.
    if (start === intoTerminal) child.kill('SIGKILL');
    const [code, signal] = await ended;
    // Nobody listens to signals any more when all events of a replay are given, and only its output waits.
    if (start === intoPipe) expect([0, 143, 'SIGTERM']).toContain(code ?? signal);
    expect(
      readdirSync(INSTANCES).filter((name) => name.startsWith(INSTANCE) && command.at(-1)?.endsWith(name)),
    ).toEqual([]);
  });
});
