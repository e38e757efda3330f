/** Runs a tool as a person would, and reads what it prints. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { LossyLink } from '../../src/demo/network.ts';
import { programOfKtc } from './agent.ts';
import { hasEnded } from './children.ts';
import { INSTANCES } from './tracefs.ts';
import type { HeldRecord } from './traffic/held.ts';
import { until } from './wait.ts';

const HELD = join(import.meta.dirname, 'traffic/held.ts');

export interface RunningTool {
  readonly process: ChildProcess;
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** Sends the signal, if it still runs, and gives the exit code; null after a kill. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

const started: ChildProcess[] = [];

/** Ends what a failed test has left running; for `afterEach`. */
export async function stopTools(): Promise<void> {
  for (const child of started.splice(0)) {
    if (hasEnded(child)) continue;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}

/** Starts `ktc` with these words and resolves when it has printed its first line. */
export async function startTool(...words: string[]): Promise<RunningTool> {
  const child = spawn(programOfKtc(), words, { stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (data: string) => {
      said[name] += data;
    });
  }
  const closed = once(child, 'close');
  if (!['--json', '-c', '--once'].some((silent) => words.includes(silent))) {
    await Promise.race([once(child.stdout, 'data'), closed]);
  } else {
    await until(() => isTracing(child.pid ?? 0), `${words[0]} to trace`);
  }
  return {
    process: child,
    pid: child.pid ?? 0,
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    async stop(signal = 'SIGINT') {
      if (!hasEnded(child)) child.kill(signal);
      await closed;
      return child.exitCode;
    },
  };
}

/** Names of the ftrace instances of a process, or of all tools. */
export function instancesOf(pid: number | '' = ''): string[] {
  return readdirSync(INSTANCES).filter(
    (name) => /^ktc-(tcp\w+|top)-\d+$/.test(name) && name.endsWith(`-${pid}`),
  );
}

/** Whether all probes are on: a source opens its buffers after that. */
export function isTracing(pid: number): boolean {
  return readdirSync(`/proc/${pid}/fd`).some((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).endsWith('/trace_pipe_raw');
    } catch {
      return false;
    }
  });
}

/** A row of what `--csv` printed, by title. */
export type Row = Readonly<Record<string, string>>;

/** No cell of the tests has a comma in it. */
export function parseCsv(csv: string): Row[] {
  const [header = '', ...lines] = csv.trimEnd().split('\n');
  const titles = header.split(',');
  return lines.map((line) => {
    const cells = line.split(',');
    return Object.fromEntries(titles.map((title, index) => [title, cells[index] ?? '']));
  });
}

/** Connections from `a` to `b` of a link, as both programs logged them. */
export async function runHeld(link: LossyLink, port: number, connections: number): Promise<HeldRecord[]> {
  const run = (namespace: string, ...args: string[]) =>
    spawn('ip', ['netns', 'exec', namespace, process.execPath, '--no-warnings', HELD, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
  const server = run(link.b.namespace, 'serve', link.b.ipv4, String(port));
  const serverLines = text(server.stdout);
  await Promise.race([once(server.stdout, 'data'), serverLines]);
  const client = run(link.a.namespace, 'hold', link.b.ipv4, String(port), String(connections));
  const clientLines = await text(client.stdout);
  server.stdin.end();
  return `${clientLines}${await serverLines}`
    .split('\n')
    .filter((line) => line.includes('"side"'))
    .map((line) => JSON.parse(line) as HeldRecord);
}
