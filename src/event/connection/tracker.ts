/** Follows connections from record to record: who opened each, which records belong to it, which changes must wait. */
import type { TcpRecord } from '../../source/decode/record.ts';
import type { ExistingConnection } from '../../source/host/sockets.ts';
import type { Task } from '../../source/host/tasks.ts';
import { type Direction, STATE } from '../kinds.ts';
import { type Connection, createConnection, type HeldRecord, isSameFlow, setFlow } from './connection.ts';
import { createRecentlyClosed, type RecentlyClosed } from './recently-closed.ts';
import { createRequests } from './requests.ts';
import { createConnectionTable } from './table.ts';

/**
 * How long a state change waits for the record that completes its flow: a little more than the first SYN timeout
 * (TCP_TIMEOUT_INIT, 1 s; include/net/tcp.h), after which a retransmitted SYN tells the local port.
 */
const HOLD_NS = 1_300_000_000;

export interface TrackerOptions {
  /** Part of every connection id. */
  readonly session: string;
  readonly maxConnections: number;
  /** What is known of a record's connection that is older than the agent, or null. */
  readonly takeExisting: (record: TcpRecord) => ExistingConnection | null;
  /** Hears of every flow that has become known, before anything of it is given. */
  readonly onFlow: (connection: Connection, record: TcpRecord) => void;
  /** Gets a state change that waits no longer, with as much of the flow as is known. */
  readonly onRelease: (connection: Connection, held: HeldRecord) => void;
}

export interface Tracker {
  /** Starts a connection at its first state, in the place of whatever had its socket. */
  begin(record: TcpRecord, direction: Direction): Connection;
  /** The connection of a record, begun in the middle where its start was not seen. */
  connectionOf(record: TcpRecord, key: number, direction: Direction): Connection;
  /** The connection of a record if its socket is known as exactly that flow; a passing one for this record otherwise. */
  connectionOrPassing(record: TcpRecord): Connection;
  /**
   * The connection of a SYN-ACK that was sent again: its request, until its socket appears. With Fast Open the socket is
   * there from the first SYN on.
   */
  connectionOfSynAck(record: TcpRecord): Connection;
  /** Keeps a state change until the connection's next record completes the flow. */
  hold(connection: Connection, record: TcpRecord, task: Task): void;
  /** Releases one state change that has waited too long at this trace time; false where there is none. */
  expireOne(time: number): boolean;
  /** Forgets the requests that nobody completes, which end without a record. */
  expireRequests(time: number): void;
  /** Ends a connection; only a reset that it sends on its way out still finds it. */
  close(connection: Connection): void;
  readonly connections: number;
  readonly evicted: number;
}

/** A connection whose beginning was not seen may be older than the agent. */
function recallExisting(connection: Connection, existing: ExistingConnection | null): void {
  if (existing === null || connection.direction !== 'unknown') return;
  connection.direction = existing.direction;
  connection.owner = existing.owner;
}

/**
 * Whether a record tells the local port. No socket has port 0, but a packet may come to it. Where the program has
 * bound none, the kernel chooses the port after it has told of SYN_SENT and of LISTEN; until then, and where it finds
 * no free one, the record has that of the last connection of the socket (`inet_hash_connect`, `inet_csk_listen_start`).
 */
function tellsLocalPort(connection: Connection, record: TcpRecord, closed: RecentlyClosed): boolean {
  const { socket, localPort, oldState, newState } = record;
  if (localPort === 0) return socket === 0;
  if (oldState === STATE.CLOSE && newState === STATE.LISTEN) {
    const before = closed.find(socket);
    return before?.direction !== 'active' || before.localPort !== localPort;
  }
  const mayBeRefused = oldState === STATE.SYN_SENT && newState === STATE.CLOSE && record.inTask;
  return !mayBeRefused || connection.localPort !== localPort;
}

export function createTracker(options: TrackerOptions): Tracker {
  const { session, onFlow, onRelease } = options;
  /** In the order of their time, because records come in that order. */
  const waiting = new Set<Connection>();
  const requests = createRequests();
  const closed = createRecentlyClosed();

  function release(connection: Connection): void {
    const { held } = connection;
    if (held === null) return;
    connection.held = null;
    waiting.delete(connection);
    onRelease(connection, held);
  }

  /** Another connection takes the place of this one. */
  function discard(connection: Connection): void {
    release(connection);
    requests.forget(connection);
  }

  const table = createConnectionTable(options.maxConnections, discard);
  let begun = 0;

  function newConnection(key: number, direction: Direction, { netns }: TcpRecord): Connection {
    return createConnection(key, `${session}-${(begun++).toString(36)}`, direction, netns);
  }

  function begin(key: number, direction: Direction, record: TcpRecord): Connection {
    const before = table.find(key);
    if (before !== undefined) discard(before);
    const connection = newConnection(key, direction, record);
    table.add(connection);
    return connection;
  }

  function completeFlow(connection: Connection, record: TcpRecord): void {
    if (connection.flowComplete) return;
    connection.flowComplete = tellsLocalPort(connection, record, closed);
    setFlow(connection, record, connection.flowComplete);
    // Taken in any case: a new connection between the same ends is not the old one.
    recallExisting(connection, options.takeExisting(record));
    const request = requests.adopt(connection, record.time);
    if (request !== null) table.remove(request);
    onFlow(connection, record);
    release(connection);
  }

  function connectionOf(record: TcpRecord, key: number, direction: Direction): Connection {
    const found = table.find(key);
    const connection =
      found !== undefined && isSameFlow(found, record) ? found : begin(key, direction, record);
    completeFlow(connection, record);
    return connection;
  }

  return {
    begin: (record, direction) => begin(record.socket, direction, record),
    connectionOf,
    connectionOrPassing(record) {
      const { socket } = record;
      const found = socket === 0 ? undefined : (table.find(socket) ?? closed.find(socket));
      const connection =
        found !== undefined && isSameFlow(found, record) ? found : newConnection(socket, 'unknown', record);
      completeFlow(connection, record);
      return connection;
    },
    connectionOfSynAck(record) {
      // It is the listening socket where there is no child yet.
      const socket = table.find(record.socket);
      const isChild = socket?.direction === 'passive' && isSameFlow(socket, record);
      const key = isChild ? record.socket : record.request;
      const connection = connectionOf(record, key, 'passive');
      if (isChild) return connection;
      const ended = requests.note(connection, record.time);
      if (ended !== null) table.remove(ended);
      return connection;
    },
    hold(connection, record, task) {
      const { time, cpu, oldState, newState } = record;
      // As much as is known, should nothing more come. The local port of a connect(2) may be that of the last one.
      setFlow(connection, record, connection.direction === 'passive');
      onFlow(connection, record);
      connection.held = { time, cpu, task, oldState, newState };
      waiting.add(connection);
    },
    expireOne(time) {
      for (const connection of waiting) {
        if (connection.held === null || connection.held.time > time - HOLD_NS) return false;
        release(connection);
        return true;
      }
      return false;
    },
    expireRequests(time) {
      for (let old = requests.expireOne(time); old !== null; old = requests.expireOne(time))
        table.remove(old);
    },
    close(connection) {
      table.remove(connection);
      requests.forget(connection);
      closed.add(connection);
    },
    get connections() {
      return table.size;
    },
    get evicted() {
      return table.evicted;
    },
  };
}
