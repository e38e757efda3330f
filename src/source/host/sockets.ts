/** Finds the TCP connections that exist when tracing begins, in every network namespace that has a process. */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { NO_PLACE, readPlace } from './control-group.ts';
import { isInitialPidNamespace } from './pid-namespace.ts';
import { readThreadOf } from './proc-thread.ts';
import type { Task } from './tasks.ts';

export interface ExistingConnection {
  /** Inode of the network namespace. */
  readonly netns: number;
  /** The addresses, 4 or 16 bytes in network order, as hexadecimal text. */
  readonly local: string;
  readonly localPort: number;
  readonly remote: string;
  readonly remotePort: number;
  /** Which end opened it, by the local port: a listening socket has the same port, or the kernel chose the port. */
  readonly direction: 'active' | 'passive' | 'unknown';
  /** The process that has the socket open; null if none was found. */
  readonly owner: Task | null;
}

interface Row {
  readonly local: string;
  readonly localPort: number;
  readonly remote: string;
  readonly remotePort: number;
  readonly state: number;
  readonly inode: string;
}

const LISTEN = 0x0a;
/** States without a socket that a process could own: TIME_WAIT, CLOSE, NEW_SYN_RECV (include/net/tcp_states.h). */
const NO_CONNECTION: ReadonlySet<string> = new Set(['06', '07', '0C']);
/** Number, addresses and state of a row. */
const ROW =
  /^ *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{2}) /;
const MAPPED_PREFIX = '00000000000000000000ffff';

/** /proc/net/tcp writes each 32-bit word of an address in the machine's byte order (net/ipv4/tcp_ipv4.c, `get_tcp4_sock`). */
function addressOf(words: string): string {
  const bytes = Buffer.from(words, 'hex').swap32().toString('hex');
  return bytes.startsWith(MAPPED_PREFIX) ? bytes.slice(MAPPED_PREFIX.length) : bytes;
}

/**
 * The state of the row that begins at `start`, found by counting: a number, then two addresses of as many digits each with
 * a port of four (net/ipv4/tcp_ipv4.c, `get_tcp4_sock`). Of a line that is no row, it is no state.
 */
function stateAt(text: string, start: number): string {
  const local = text.indexOf(':', start) + 2;
  const digits = text.indexOf(':', local) - local;
  const state = local + 2 * (digits + ':0000 '.length);
  return text.slice(state, state + 2);
}

/**
 * Parses the rows of /proc/<pid>/net/tcp or tcp6 that are connections or listening sockets; skips other text. A busy host
 * has tens of thousands of rows in TIME_WAIT, which are skipped before anything is allocated for them: 30,000 of them
 * made the heap grow by 10 MB at the start of the agent.
 */
export function parseSockets(text: string): Row[] {
  const rows: Row[] = [];
  for (let start = 0, end = 0; end !== -1; start = end + 1) {
    end = text.indexOf('\n', start);
    if (NO_CONNECTION.has(stateAt(text, start))) continue;
    const line = text.slice(start, end === -1 ? undefined : end);
    const [, local, localPort = '', remote, remotePort = '', state = ''] = ROW.exec(line) ?? [];
    if (local === undefined || remote === undefined) continue;
    const inode = line.trim().split(/ +/)[9] ?? '';
    if (!/^\d+$/.test(inode)) continue;
    rows.push({
      local: addressOf(local),
      localPort: Number.parseInt(localPort, 16),
      remote: addressOf(remote),
      remotePort: Number.parseInt(remotePort, 16),
      state: Number.parseInt(state, 16),
      inode,
    });
  }
  return rows;
}

const PIECE_BYTES = 65_536;

/** Reads the rows of such a file in pieces: with 60,000 rows it has 9 MB, which would stay in the agent's memory. */
export function readTable(file: string): Row[] {
  const rows: Row[] = [];
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  const fd = openSync(file, 'r');
  try {
    let begun = '';
    for (let length = readSync(fd, piece); length > 0; length = readSync(fd, piece)) {
      const text = begun + piece.toString('latin1', 0, length);
      const end = text.lastIndexOf('\n') + 1;
      rows.push(...parseSockets(text.slice(0, end)));
      begun = text.slice(end);
    }
    rows.push(...parseSockets(begun));
  } finally {
    closeSync(fd);
  }
  return rows;
}

function readSockets(pid: string): Row[] {
  return ['tcp', 'tcp6'].flatMap((table) => {
    try {
      return readTable(`/proc/${pid}/net/${table}`);
    } catch {
      // The process has ended, or the kernel has no IPv6.
      return [];
    }
  });
}

/** Inodes of the sockets that a process has open. */
function openSockets(pid: string): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode === undefined ? [] : [inode];
    } catch {
      return [];
    }
  });
}

/** Joins two snapshots. If both have a connection, the later one is right. */
export function joinSnapshots(
  earlier: readonly ExistingConnection[],
  later: readonly ExistingConnection[],
): ExistingConnection[] {
  const joined = new Map<string, ExistingConnection>();
  for (const connection of [...earlier, ...later]) {
    const { netns, local, localPort, remote, remotePort } = connection;
    joined.set(`${netns} ${local} ${localPort} ${remote} ${remotePort}`, connection);
  }
  return [...joined.values()];
}

/**
 * Takes a snapshot. It reads all processes and their descriptors, some 2 µs each, and gives the event loop its turn after
 * every process. The trace records connections that open or close in the meantime.
 */
export async function readExistingConnections(): Promise<ExistingConnection[]> {
  const namespaces = new Map<number, Row[]>();
  const owners = new Map<string, Task>();
  const isInitial = isInitialPidNamespace();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const netns = statSync(`/proc/${pid}/ns/net`).ino;
      if (!namespaces.has(netns)) namespaces.set(netns, readSockets(pid));
      // In another pid namespace, /proc has other numbers than records.
      const inodes = isInitial ? openSockets(pid) : [];
      if (inodes.length === 0) continue;
      const who = readThreadOf(Number(pid), Number(pid))?.who;
      if (who === undefined) continue;
      const task = { ...who, ...(readPlace(who.pid) ?? NO_PLACE) };
      // If processes share a socket, its owner is the first one found, which is the oldest.
      for (const inode of inodes) if (!owners.has(inode)) owners.set(inode, task);
    } catch {
      // The process ended in the meantime, or is a kernel thread of another user namespace.
    }
    await setImmediate();
  }
  const isEphemeral = ephemeralPorts();
  return [...namespaces].flatMap(([netns, rows]) => connectionsOf(netns, rows, owners, isEphemeral));
}

/** The ports that connect(2) chooses. Each network namespace has its own range; this is the agent's (ip-sysctl.rst). */
function ephemeralPorts(): (port: number) => boolean {
  const text = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
  const [from = 0, to = 0] = text.trim().split(/\s+/).map(Number);
  return (port) => port >= from && port <= to;
}

function connectionsOf(
  netns: number,
  rows: readonly Row[],
  owners: ReadonlyMap<string, Task>,
  isEphemeral: (port: number) => boolean,
): ExistingConnection[] {
  const listening = new Set(rows.filter(({ state }) => state === LISTEN).map(({ localPort }) => localPort));
  return rows
    .filter(({ state }) => state !== LISTEN)
    .map(({ local, localPort, remote, remotePort, inode }) => ({
      netns,
      local,
      localPort,
      remote,
      remotePort,
      direction: listening.has(localPort) ? 'passive' : isEphemeral(localPort) ? 'active' : 'unknown',
      owner: owners.get(inode) ?? null,
    }));
}
