/** Makes traffic: runs the programs beside this file, which it compiles, or connects by itself. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import type { LossyLink } from '../../../src/demo/network.ts';
import { compileProgram } from '../compile.ts';
import { enter } from '../namespace.ts';

const PORT = 5001;

/** How the addresses of a connection look: `mapped` is IPv4 through AF_INET6 sockets. */
export type AddressFamily = 'ipv4' | 'ipv6' | 'mapped';

/** What every program of ours tells of its end of a connection. */
export interface TrafficRecord {
  readonly side: 'client' | 'server';
  readonly pid: number;
  readonly local_address: string;
  readonly local_port: number;
  readonly remote_address: string;
  readonly remote_port: number;
  readonly bytes_sent: number;
  readonly bytes_received: number;
}

/** One connection as one of its two programs saw it. */
export interface ConnectionRecord extends TrafficRecord {
  /** Who ended it: the client with FIN or with a reset, or the server with FIN. */
  readonly closed_by: 'client' | 'server' | 'reset';
  readonly duration_us: number;
  readonly error: string | null;
}

export interface ConnectionsOptions {
  readonly family: AddressFamily;
  readonly connections: number;
  /** Open at a time; a lost SYN costs its connection a second. */
  readonly concurrency?: number;
  readonly requestBytes?: number;
  readonly responseBytes?: number;
}

export interface SteadyResult {
  readonly connections: number;
  readonly failed: number;
  readonly seconds: number;
  readonly per_second: number;
  readonly cpu_seconds: number;
}

/** What short-lived.c prints of one of its processes. */
export interface ShortLived {
  readonly pid: number;
  readonly comm: string;
  readonly remote_port: number;
}

/** Compiles a program unless it is there and newer than its source. Returns its path. */
export function compile(name: 'acceptors' | 'connections' | 'short-lived' | 'steady'): Promise<string> {
  return compileProgram(join(import.meta.dirname, `${name}.c`));
}

function addressOf(end: LossyLink['b'], family: AddressFamily): string {
  if (family === 'ipv4') return end.ipv4;
  if (family === 'mapped') return `::ffff:${end.ipv4}`;
  if (end.ipv6 === null) throw new Error('this kernel has no IPv6');
  return end.ipv6;
}

/** What one of the two programs printed. */
export function parseRecords(lines: string): ConnectionRecord[] {
  return lines
    .split('\n')
    .filter((line) => line.includes('"side"'))
    .map((line) => JSON.parse(line) as ConnectionRecord);
}

/** What short-lived.c printed so far, whole lines only. */
export function parseShortLived(lines: string): ShortLived[] {
  return lines
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as ShortLived);
}

/**
 * Makes connections from `link.a` to `link.b`: one request and one response each, one in twenty ended by
 * a reset, the others by either side in turn. Resolves when both programs have ended, with what each saw;
 * a connection that failed says so in its record.
 */
export async function runConnections(
  link: LossyLink,
  options: ConnectionsOptions,
): Promise<{ client: ConnectionRecord[]; server: ConnectionRecord[] }> {
  const { family, connections, concurrency = 100, requestBytes = 4_000, responseBytes = 20_000 } = options;
  const program = await compile('connections');
  const target = [addressOf(link.b, family), String(PORT)];
  const run = (namespace: string, ...args: string[]) =>
    spawn('ip', ['netns', 'exec', namespace, program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });

  const server = run(link.b.namespace, 'serve', ...target);
  const serverLines = text(server.stdout);
  await Promise.race([once(server.stdout, 'data'), serverLines]);
  const shape = [connections, concurrency, requestBytes, responseBytes].map(String);
  const client = run(link.a.namespace, 'request', ...target, ...shape);
  const clientLines = await text(client.stdout);
  server.stdin.end();
  return { client: parseRecords(clientLines), server: parseRecords(await serverLines) };
}

export interface SteadyOptions {
  readonly perSecond: number;
  readonly seconds: number;
  readonly namespace?: string;
  /** Of the server; chosen by the kernel when absent. */
  readonly port?: number;
}

/** Addresses of the loopback that connections go to in turn. */
const DESTINATIONS = 64;

export interface SteadyTraffic {
  /** Resolves with what it made in all. */
  readonly ended: Promise<SteadyResult>;
  /** Ends it before its time. */
  stop(): Promise<SteadyResult>;
}

/**
 * Makes connections over loopback at a steady rate, each about ten state changes, for `seconds`.
 * In the host's own network, or in `namespace`.
 */
export async function startSteady(options: SteadyOptions): Promise<SteadyTraffic> {
  const { perSecond, seconds, namespace, port = 0 } = options;
  const words = [await compile('steady'), ...[perSecond, seconds, DESTINATIONS, port].map(String)];
  const [command = '', ...args] = [...(namespace === undefined ? [] : enter(namespace)), ...words];
  const running = promisify(execFile)(command, args);
  const ended = running.then(({ stdout }) => JSON.parse(stdout) as SteadyResult);
  return {
    ended,
    stop() {
      running.child.kill();
      return ended;
    },
  };
}

/** The same to its end. */
export async function runSteady(options: SteadyOptions): Promise<SteadyResult> {
  return (await startSteady(options)).ended;
}

/** Connects once to a port of the loopback, and resolves when the connection has ended, refused or not. */
export async function knock(port: number, address = '127.0.0.1'): Promise<void> {
  const socket = connect(port, address).on('error', () => {});
  // Not by once(), which rejects where the connection is refused.
  await new Promise((resolve) => socket.on('close', resolve));
}
