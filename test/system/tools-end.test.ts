/** How the tools start and end: signals, `| head`, kill -9, a full disk, a terminal. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { TOOL_NAMES as NAMES } from '../../src/tool/tool.ts';
import { asNobody, KTC, whyNoAgent } from '../support/agent.ts';
import { instancesOf, isTracing, startTool, stopTools } from '../support/tool.ts';
import { knock, runSteady } from '../support/traffic/traffic.ts';
import { until } from '../support/wait.ts';

const missing = whyNoAgent();
if (missing) console.warn(`skipped: how tools end: ${missing}`);

/** What a pipe holds; empty when it holds nothing. */
function readAvailable(fd: number): string {
  const page = Buffer.alloc(4096);
  try {
    return page.toString('utf8', 0, readSync(fd, page));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
    throw error;
  }
}

/** A port where nobody listens: a connection to it is two changes of state, and a failed connect. */
const CLOSED_PORT = 1;

const SIGINT = 2;

/** Whether a signal to a process has not been taken yet: of two that wait, either may be the first. */
function isPending(pid: number, signal: number): boolean {
  const mask = /^ShdPnd:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

describe.skipIf(missing)('how a tool ends', () => {
  afterEach(stopTools);
  const directory = mkdtempSync(join(tmpdir(), 'ktc-tools-end-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  /** A tool that writes into a pipe of the kernel, as in a shell (those of Node.js are sockets), and its other end. */
  async function openPiped(...words: string[]) {
    const path = join(directory, `pipe-${words[0]}`);
    // Of a try that has failed.
    rmSync(path, { force: true });
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY);
    rmSync(path);
    const tool = spawn(KTC, [...words, '--source', 'tracepoints'], { stdio: ['ignore', writer, 'inherit'] });
    closeSync(writer);
    const end = once(tool, 'exit');
    await until(() => isTracing(tool.pid ?? 0), 'the tool to trace');
    return { tool, reader, end };
  }

  const waitUntilGone = (pid: number) => until(() => instancesOf(pid).length === 0, 'the instance to go');

  it.each<NodeJS.Signals>(['SIGINT', 'SIGTERM', 'SIGHUP'])(
    'by %s, with 0 and nothing left',
    async (signal) => {
      // Of IPv6 only, so that nothing is lost however much others do.
      const tool = await startTool('tcpstates', '-6', '--source', 'tracepoints');
      expect(instancesOf(tool.pid)).toEqual([`ktc-tcpstates-${tool.pid}`]);
      await knock(CLOSED_PORT, '::1');
      expect(await tool.stop(signal)).toBe(0);
      // What the kernel held when the signal came is printed too.
      expect(tool.stdout()).toContain('SYN_SENT    -> CLOSE');
      expect(tool.stderr()).toBe('');
      expect(instancesOf(tool.pid)).toEqual([]);
    },
  );

  it.each(NAMES)('%s that is stopped while it starts leaves nothing behind', async (name) => {
    const child = spawn(KTC, [name], { stdio: 'ignore' });
    const exit = once(child, 'exit');
    // With pauses so short that it is still starting.
    await until(() => instancesOf(child.pid ?? 0).length > 0, 'the instance', { pauseMs: 2 });
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
    expect(instancesOf(child.pid ?? 0)).toEqual([]);
  });

  it('by | head -3, which gets its three lines, with nothing more to say', async () => {
    const command = `{ ${KTC} tcpstates -6 -D 1 & echo $! >&2; wait $!; echo "ended $?" >&2; } | head -3`;
    const shell = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
    const output = Promise.all([text(shell.stdout), text(shell.stderr)]);
    let hasLines = false;
    let isOver = false;
    shell.stdout.once('data', () => {
      hasLines = true;
    });
    shell.once('close', () => {
      isOver = true;
    });
    await until(async () => {
      if (!hasLines) await knock(CLOSED_PORT, '::1');
      return isOver;
    }, 'the end');
    const [lines, errors] = await output;
    expect(lines.trimEnd().split('\n').length).toBe(3);
    expect(errors).toMatch(/^\d+\nended 0\n$/);
    expect(instancesOf(Number.parseInt(errors, 10))).toEqual([]);
  });

  it('as soon as the reader of its pipe has gone, without an event', async () => {
    const { tool, reader, end } = await openPiped('tcpretrans', '-6', '--local-port', '1');
    let header = '';
    const hasHeader = (): boolean => {
      header += readAvailable(reader);
      return header.endsWith('\n');
    };
    await until(hasHeader, 'the header');
    expect(header).toMatch(/^TIME +PID .*STATE\n$/);
    expect(tool.exitCode).toBe(null);
    closeSync(reader);
    expect(await end).toEqual([0, null]);
    expect(instancesOf(tool.pid)).toEqual([]);
  });

  it.each([
    [
      'at once',
      (pid: number) => until(() => !isPending(pid, SIGINT), 'the first one to be taken', { pauseMs: 0 }),
    ],
    ['when the first one has taken its tracing away', (pid: number) => waitUntilGone(pid)],
  ])('by a second signal %s, while its pipe is full', async (_, between) => {
    const { tool, reader, end } = await openPiped('tcpstates');
    const pid = tool.pid ?? 0;
    // Of ten lines each, which no pipe has room for.
    let made = 0;
    while (made < 300) made += (await runSteady({ perSecond: 1_000, seconds: 1 })).connections;
    tool.kill('SIGINT');
    await between(pid);
    // What nobody has read keeps it.
    expect(tool.exitCode ?? tool.signalCode).toBe(null);
    // One that comes within a second of the first is the same wish.
    await until(() => tool.exitCode !== null || !tool.kill('SIGTERM'), 'the second signal to end it');
    expect(await end).toEqual([143, null]);
    closeSync(reader);
    expect(instancesOf(pid)).toEqual([]);
  });

  it('by kill -9: the next start of any tool removes what is left, and nothing of a living one', async () => {
    const living = await startTool('tcpretrans');
    const killed = await startTool('tcpstates');
    expect(await killed.stop('SIGKILL')).toBe(null);
    expect(instancesOf(killed.pid)).toEqual([`ktc-tcpstates-${killed.pid}`]);
    const next = await startTool('tcplife');
    expect(instancesOf(killed.pid)).toEqual([]);
    expect(instancesOf(living.pid)).toEqual([`ktc-tcpretrans-${living.pid}`]);
    expect([await next.stop(), await living.stop()]).toEqual([0, 0]);
  });

  it('with one line and its code when it cannot', async () => {
    const ktc = (...words: string[]) => {
      const { status, stdout, stderr } = spawnSync(KTC, words, { encoding: 'utf8' });
      return { status, stdout, stderr };
    };
    expect(ktc('tcplife', '--sequence')).toEqual({
      status: 64,
      stdout: '',
      stderr: "ktc: tcplife: Unknown option '--sequence'; ktc tcplife --help lists the options\n",
    });
    expect(ktc('tcplife', '--source', 'module')).toMatchObject({ status: 69, stdout: '' });
    expect(ktc('tcplife', '--from', '/nonexistent.ktcrec')).toEqual({
      status: 69,
      stdout: '',
      stderr: 'ktc: /nonexistent.ktcrec cannot be read: no such file or directory\n',
    });
    const [program = '', ...words] = asNobody(directory);
    const nobody = spawnSync(program, [...words, 'tcplife'], { cwd: '/', encoding: 'utf8' });
    expect(nobody.stderr).toBe(
      'ktc: reading kernel events needs root: run it with sudo\n' +
        'ktc: to see what it prints without root: --from FILE, a recording\n',
    );
    expect(nobody.status).toBe(77);
    const full = spawnSync('sh', ['-c', `${KTC} tcpstates -6 > /dev/full`], { encoding: 'utf8' });
    expect(full).toMatchObject({
      status: 74,
      stderr: 'ktc: standard output: ENOSPC: no space left on device, write\n',
    });
  });
});

describe.skipIf(missing)('in a terminal', () => {
  const terminals: ChildProcess[] = [];
  /** A terminal of 80 columns with a command in it. */
  function openTerminal(command: string) {
    // In the shell's place, which would answer a Ctrl-C for itself.
    const child = spawn('script', ['-qefc', `stty cols 80 rows 24; exec ${command}`, '/dev/null']);
    terminals.push(child);
    let shown = '';
    child.stdout.setEncoding('utf8').on('data', (data: string) => {
      shown += data;
    });
    const end = once(child, 'close').then(([code]: number[]) => code);
    return { shown: () => shown, press: (keys: string) => child.stdin.write(keys), end };
  }
  // Its end is the hang-up of what runs in it.
  afterEach(() => {
    for (const child of terminals.splice(0)) child.kill('SIGKILL');
  });

  const script =
    spawnSync('script', ['--version']).status === 0 ? null : 'script (util-linux) is not installed';
  if (script !== null) console.warn(`skipped: the tools in a terminal: ${script}`);

  it.skipIf(script)('each shows its header and ends with Ctrl-C', async () => {
    for (const name of NAMES) {
      const terminal = openTerminal(`${KTC} ${name}`);
      await until(() => terminal.shown().includes('PID'), `the header of ${name}`);
      terminal.press('\x03');
      expect(await terminal.end, terminal.shown()).toBe(0);
    }
  });

  it.skipIf(script)(
    'shows an event as soon as it is known, also while the window changes its size',
    async () => {
      const terminal = openTerminal(`${KTC} tcpconnect`);
      await until(() => terminal.shown().includes('DPORT'), 'the header');
      const pids = instancesOf().flatMap((name) => /^ktc-tcpconnect-(\d+)$/.exec(name)?.[1] ?? []);
      for (const pid of pids) process.kill(Number(pid), 'SIGWINCH');
      await knock(CLOSED_PORT);
      await until(() => terminal.shown().includes('127.0.0.1'), 'the event');
      terminal.press('\x03');
      expect(await terminal.end).toBe(0);
    },
  );
});
