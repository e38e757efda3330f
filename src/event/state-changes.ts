/** What the record of a state change means for its connection: begun, held until its flow is complete, changed or ended. */
import { filter, hold } from '../ledger/booking.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { TcpRecord } from '../source/decode/record.ts';
import type { Task } from '../source/host/tasks.ts';
import { type Connection, type HeldRecord, ownerOf } from './connection/connection.ts';
import type { Tracker } from './connection/tracker.ts';
import type { EventDraft } from './draft.ts';
import type { Gate } from './gate.ts';
import { STATE } from './kinds.ts';
import type { Lifecycle } from './lifecycle.ts';
import { copyTotals } from './measures.ts';

export interface StateChangesOptions {
  readonly draft: EventDraft;
  readonly gate: Gate;
  readonly ledger: Ledger;
  readonly tracker: Tracker;
  readonly lifecycle: Lifecycle;
  /** The source tells of accept(2) itself. */
  readonly recordsAccepts: boolean;
}

/** State changes that the owner's own call makes: listen(2), and close(2) or shutdown(2) first or second. */
function isMadeByOwner(newState: number): boolean {
  return newState === STATE.LISTEN || newState === STATE.FIN_WAIT1 || newState === STATE.LAST_ACK;
}

/** Returns the function that takes each record of tcp_set_state. */
export function createStateChanges(options: StateChangesOptions): (record: TcpRecord, task: Task) => void {
  const { draft, gate, ledger, tracker, lifecycle, recordsAccepts } = options;
  /** The change at hand, one object for all of them. */
  const change: { -readonly [Field in keyof HeldRecord]: HeldRecord[Field] } = {
    time: 0,
    cpu: 0,
    task: draft.task,
    oldState: 0,
    newState: 0,
  };

  function holdChange(connection: Connection, record: TcpRecord, task: Task): void {
    hold(ledger);
    tracker.hold(connection, record, task);
  }

  return (record, task) => {
    const { oldState, newState } = record;
    // close(2) after shutdown(2) sets the state that the socket has already (net/ipv4/tcp.c, `new_state`).
    if (oldState === newState) return filter(ledger, 'state_unchanged');
    if (oldState === STATE.CLOSE && newState === STATE.SYN_SENT) {
      const connection = tracker.begin(record, 'active');
      lifecycle.begin(connection);
      if (record.inTask) connection.owner = ownerOf(task);
      // Also where there is a local port: a socket that connects again still has that of its last connection.
      return holdChange(connection, record, task);
    }
    if (oldState === STATE.LISTEN && newState === STATE.SYN_RECV) {
      const connection = tracker.begin(record, 'passive');
      lifecycle.begin(connection);
      if (record.remotePort === 0) return holdChange(connection, record, task);
    }
    if (newState === STATE.LISTEN) lifecycle.begin(tracker.begin(record, 'unknown'));
    // tcp_set_state(), where the module listens, is not called when a child is made in SYN_RECV (inet_csk_clone_lock).
    const direction = recordsAccepts && oldState === STATE.SYN_RECV ? 'passive' : 'unknown';
    const connection = tracker.connectionOf(record, record.socket, direction);
    gate.follow(connection, record);
    if (newState === STATE.CLOSE) copyTotals(draft, record);
    if (connection.owner === null && record.inTask && isMadeByOwner(newState))
      connection.owner = ownerOf(task);
    change.time = record.time;
    change.cpu = record.cpu;
    change.task = task;
    change.oldState = oldState;
    change.newState = newState;
    lifecycle.change(connection, change);
    if (newState === STATE.CLOSE) tracker.close(connection);
  };
}
