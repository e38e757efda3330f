/** Follows connections from record to record: who opened each, which records belong to it, which changes must wait. */
import type { TcpRecord } from '../../source/decode/record.ts';
import type { ExistingConnection } from '../../source/host/sockets.ts';
import type { Task } from '../../source/host/tasks.ts';
import type { Direction } from '../kinds.ts';
import { type Connection, createConnection, type HeldRecord, isSameFlow, setFlow } from './connection.ts';
import { createRecentlyClosed } from './recently-closed.ts';
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
  /** Notes that a connection is known only as a request, until its socket appears. */
  noteRequest(connection: Connection, time: number): void;
  /** Keeps a state change until the connection's next record completes the flow. */
  hold(connection: Connection, record: TcpRecord, task: Task): void;
  /** Releases one state change that has waited too long at this trace time; false where there is none. */
  expireOne(time: number): boolean;
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
    setFlow(connection, record);
    connection.flowComplete = true;
    // Taken in any case: a new connection between the same ends is not the old one.
    recallExisting(connection, options.takeExisting(record));
    const request = requests.adopt(connection, record.time);
    if (request !== null) table.remove(request);
    onFlow(connection, record);
    release(connection);
  }

  return {
    begin: (record, direction) => begin(record.socket, direction, record),
    connectionOf(record, key, direction) {
      const found = table.find(key);
      if (found !== undefined && isSameFlow(found, record)) {
        completeFlow(found, record);
        return found;
      }
      const connection = begin(key, direction, record);
      completeFlow(connection, record);
      return connection;
    },
    connectionOrPassing(record) {
      const { socket } = record;
      const found = socket === 0 ? undefined : (table.find(socket) ?? closed.find(socket));
      const connection =
        found !== undefined && isSameFlow(found, record) ? found : newConnection(socket, 'unknown', record);
      completeFlow(connection, record);
      return connection;
    },
    noteRequest: requests.note,
    hold(connection, record, task) {
      const { time, cpu, oldState, newState } = record;
      // As much as is known, should nothing more come.
      setFlow(connection, record);
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
