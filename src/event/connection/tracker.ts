/** Follows connections from record to record: who opened them, which records belong together, what must wait. */
import type { TcpRecord } from '../../source/decode/record.ts';
import type { ExistingConnection } from '../../source/host/sockets.ts';
import type { Task } from '../../source/host/tasks.ts';
import type { Direction } from '../tcp-event.ts';
import { type Connection, createConnection, type HeldRecord, isSameFlow, setFlow } from './connection.ts';
import { createConnectionTable } from './table.ts';

/**
 * How long a state change waits for the record that completes its flow: a little more than the first SYN timeout
 * (TCP_TIMEOUT_INIT, 1 s; include/net/tcp.h), after which a retransmitted SYN tells the local port.
 */
const HOLD_NS = 1_300_000_000;

/** How long a request lives after its last SYN-ACK: at most TCP_RTO_MAX, 120 s (include/net/tcp.h). */
const REQUEST_LIFE_NS = 120_000_000_000;

/** An abort closes the socket first and sends its reset some 10 µs later (`tcp_disconnect`, `__tcp_close`). */
const CLOSED_REMEMBERED = 256;

export interface TrackerOptions {
  /** Part of every connection id. */
  readonly session: string;
  readonly maxConnections: number;
  /** What is known of a connection that is older than the agent, or null. */
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
  /** Releases what has waited too long at this trace time. */
  expire(time: number): void;
  /** Ends a connection; only a reset that it sends on its way out still finds it. */
  close(connection: Connection): void;
  readonly connections: number;
  readonly evicted: number;
}

function flowKey({ flow }: Connection): string {
  return flow === null
    ? ''
    : `${flow.remoteAddress} ${flow.remotePort} ${flow.localAddress} ${flow.localPort}`;
}

export function createTracker(options: TrackerOptions): Tracker {
  const { session, onFlow, onRelease } = options;
  /** In the order of their time, because records come in that order. */
  const waiting = new Set<Connection>();
  /** Connections known only by a retransmitted SYN-ACK. */
  const requests = new Map<string, Connection>();
  /** The last that were closed, by socket, oldest first. */
  const closed = new Map<number, Connection>();
  const table = createConnectionTable(options.maxConnections, (connection) => {
    release(connection);
    forgetRequest(connection);
  });
  let begun = 0;

  function newConnection(key: number, direction: Direction, { netns }: TcpRecord): Connection {
    return createConnection(key, `${session}-${(begun++).toString(36)}`, direction, netns);
  }

  /** Whose beginning was not seen may be older than the agent; what is new at the same ends is another connection. */
  function recallExisting(connection: Connection, record: TcpRecord): void {
    const existing = options.takeExisting(record);
    if (existing === null || connection.direction !== 'unknown') return;
    connection.direction = existing.direction;
    connection.owner = existing.owner;
  }

  function replace(connection: Connection): void {
    const before = table.find(connection.key);
    if (before !== undefined) {
      release(before);
      forgetRequest(before);
    }
    table.add(connection);
  }

  function completeFlow(connection: Connection, record: TcpRecord): void {
    if (connection.flowComplete) return;
    setFlow(connection, record);
    connection.flowComplete = true;
    recallExisting(connection, record);
    adoptRequest(connection, record.time);
    onFlow(connection, record);
    release(connection);
  }

  /** The socket that comes of a request goes on under the identifier of its retransmitted SYN-ACKs. */
  function adoptRequest(connection: Connection, time: number): void {
    if (requests.size === 0 || connection.direction !== 'passive') return;
    const request = requests.get(flowKey(connection));
    if (request === undefined || request === connection) return;
    if (time - request.stateSince < REQUEST_LIFE_NS) {
      connection.id = request.id;
      connection.retransmits += request.retransmits;
    }
    table.remove(request);
    forgetRequest(request);
  }

  function forgetRequest(connection: Connection): void {
    if (requests.size === 0) return;
    const key = flowKey(connection);
    if (requests.get(key) === connection) requests.delete(key);
  }

  function release(connection: Connection): void {
    const { held } = connection;
    if (held === null) return;
    connection.held = null;
    waiting.delete(connection);
    onRelease(connection, held);
  }

  return {
    begin(record, direction) {
      const connection = newConnection(record.socket, direction, record);
      replace(connection);
      return connection;
    },
    connectionOf(record, key, direction) {
      const found = table.find(key);
      if (found !== undefined && isSameFlow(found, record)) {
        completeFlow(found, record);
        return found;
      }
      const connection = newConnection(key, direction, record);
      replace(connection);
      completeFlow(connection, record);
      return connection;
    },
    connectionOrPassing(record) {
      const { socket } = record;
      const found = socket === 0 ? undefined : (table.find(socket) ?? closed.get(socket));
      const connection =
        found !== undefined && isSameFlow(found, record) ? found : newConnection(socket, 'unknown', record);
      completeFlow(connection, record);
      return connection;
    },
    noteRequest(connection, time) {
      connection.stateSince = time;
      requests.set(flowKey(connection), connection);
    },
    hold(connection, record, task) {
      const { time, cpu, oldState, newState } = record;
      // As much as is known, should nothing more come.
      setFlow(connection, record);
      onFlow(connection, record);
      connection.held = { time, cpu, task, oldState, newState };
      waiting.add(connection);
    },
    expire(time) {
      for (const connection of waiting) {
        if (connection.held !== null && connection.held.time > time - HOLD_NS) return;
        release(connection);
      }
    },
    close(connection) {
      table.remove(connection);
      forgetRequest(connection);
      closed.delete(connection.key);
      closed.set(connection.key, connection);
      const oldest = closed.keys().next();
      if (closed.size > CLOSED_REMEMBERED && oldest.done !== true) closed.delete(oldest.value);
    },
    get connections() {
      return table.size;
    },
    get evicted() {
      return table.evicted;
    },
  };
}
