/** What is known of each connection, in a table that cannot grow without bound. */
import { ABSENT, type TcpRecord } from '../../source/decode/record.ts';
import type { Task } from '../../source/host/tasks.ts';
import { formatIpv4, formatIpv6 } from '../address.ts';
import { communityId } from '../community-id.ts';
import type { PeerSummary } from '../retransmit-summaries.ts';
import type { Direction } from '../tcp-event.ts';

/** A state change whose flow was not complete when the kernel recorded it. */
export interface HeldRecord {
  readonly time: number;
  readonly cpu: number;
  readonly task: Task;
  readonly oldState: number;
  readonly newState: number;
}

/** Both endpoints of a connection; ports are 0 where there is none. */
export interface Flow {
  readonly version: 4 | 6;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly communityId: string | null;
}

export interface Connection {
  /** The socket's address in the kernel, or the request's while there is no socket. */
  readonly key: number;
  id: string;
  direction: Direction;
  /** Inode of the network namespace; ABSENT where the source does not give it. */
  readonly netns: number;
  flow: Flow | null;
  /** A record that had both ports has been seen (or the socket listens, and has but one). */
  flowComplete: boolean;
  /** The flow and the identifiers as JSON members, made once. */
  json: Uint8Array | null;
  /** For telling that a socket's memory has become another connection. */
  localPort: number;
  remotePort: number;
  remoteTail: number;
  /** By include/net/tcp_states.h; 0 is not known. */
  state: number;
  /** Trace times, NaN where not seen. */
  stateSince: number;
  synSentAt: number;
  establishedAt: number;
  owner: Task | null;
  retransmits: number;
  /** How often records had been lost when its first state was seen; NaN where that was not seen. */
  lossesBefore: number;
  held: HeldRecord | null;
  /** Why its events are left out, decided for one generation of the exclusions. */
  exclusion: string | null;
  exclusionGeneration: number;
  /** Where its retransmits are counted. */
  summary: PeerSummary | null;
  /** Neighbours in the order of use. */
  older: Connection | null;
  newer: Connection | null;
}

export function createConnection(key: number, id: string, direction: Direction, netns = ABSENT): Connection {
  return {
    key,
    id,
    direction,
    netns,
    flow: null,
    flowComplete: false,
    json: null,
    localPort: 0,
    remotePort: 0,
    remoteTail: 0,
    state: 0,
    stateSince: Number.NaN,
    synSentAt: Number.NaN,
    establishedAt: Number.NaN,
    owner: null,
    retransmits: 0,
    lossesBefore: Number.NaN,
    held: null,
    exclusion: null,
    exclusionGeneration: -1,
    summary: null,
    older: null,
    newer: null,
  };
}

function tailOf(record: TcpRecord): number {
  return record.bytes.readInt32LE(record.remoteAddress + record.addressLength - 4);
}

/** Whether a record can be of this connection: the kernel uses the memory of closed sockets again. */
export function isSameFlow(connection: Connection, record: TcpRecord): boolean {
  const { flowComplete, localPort, remotePort } = connection;
  // As long as the flow is not complete, only a peer that is known already can tell.
  if (!flowComplete && remotePort === 0) return true;
  return (
    (!flowComplete || localPort === record.localPort) &&
    remotePort === record.remotePort &&
    connection.remoteTail === tailOf(record)
  );
}

/** Takes both endpoints from a record. */
export function setFlow(connection: Connection, record: TcpRecord): void {
  const { bytes, addressLength, localAddress, remoteAddress, localPort, remotePort } = record;
  const format = addressLength === 4 ? formatIpv4 : formatIpv6;
  connection.localPort = localPort;
  connection.remotePort = remotePort;
  connection.remoteTail = tailOf(record);
  connection.json = null;
  connection.flow = {
    version: addressLength === 4 ? 4 : 6,
    localAddress: format(bytes, localAddress),
    localPort,
    remoteAddress: format(bytes, remoteAddress),
    remotePort,
    communityId:
      localPort === 0 || remotePort === 0
        ? null
        : communityId(bytes, localAddress, remoteAddress, addressLength, localPort, remotePort),
  };
}

export interface ConnectionTable {
  /** Finds by key and marks as just used. */
  find(key: number): Connection | undefined;
  /** Adds in the place of what had the key; the least recently used gives way when the table is full. */
  add(connection: Connection): void;
  remove(connection: Connection): void;
  readonly size: number;
  readonly evicted: number;
}

/** Least recently used first out. `onEvict` hears of each that had to go. */
export function createConnectionTable(
  capacity: number,
  onEvict: (connection: Connection) => void,
): ConnectionTable {
  const byKey = new Map<number, Connection>();
  let oldest: Connection | null = null;
  let newest: Connection | null = null;
  let evicted = 0;

  function unlink(connection: Connection): void {
    if (connection.older === null) oldest = connection.newer;
    else connection.older.newer = connection.newer;
    if (connection.newer === null) newest = connection.older;
    else connection.newer.older = connection.older;
    connection.older = null;
    connection.newer = null;
  }

  function linkNewest(connection: Connection): void {
    connection.older = newest;
    if (newest === null) oldest = connection;
    else newest.newer = connection;
    newest = connection;
  }

  function remove(connection: Connection): void {
    if (byKey.get(connection.key) !== connection) return;
    byKey.delete(connection.key);
    unlink(connection);
  }

  return {
    find(key) {
      const connection = byKey.get(key);
      if (connection !== undefined && connection !== newest) {
        unlink(connection);
        linkNewest(connection);
      }
      return connection;
    },
    add(connection) {
      const before = byKey.get(connection.key);
      if (before !== undefined) remove(before);
      if (byKey.size >= capacity && oldest !== null) {
        const gone: Connection = oldest;
        remove(gone);
        evicted++;
        onEvict(gone);
      }
      byKey.set(connection.key, connection);
      linkNewest(connection);
    },
    remove,
    get size() {
      return byKey.size;
    },
    get evicted() {
      return evicted;
    },
  };
}
