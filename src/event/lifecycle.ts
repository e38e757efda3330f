/** Turns state changes into events: the change itself, and the connect, accept, latency and life that follow from it. */
import { derive } from '../ledger/booking.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { TcpRecord } from '../source/decode/record.ts';
import type { Connection, HeldRecord } from './connection/connection.ts';
import { type EventDraft, UNKNOWN } from './draft.ts';
import type { Gate } from './gate.ts';
import { type SingleEventKind, STATE } from './kinds.ts';

export interface LifecycleOptions {
  readonly draft: EventDraft;
  readonly gate: Gate;
  readonly ledger: Ledger;
  /** Every retransmit is recorded, so the count in a life event can be whole. */
  readonly countsRetransmits: boolean;
  /** The source tells of accept(2) itself, so that a state change need not stand for it. */
  readonly recordsAccepts: boolean;
}

export interface Lifecycle {
  /** Notes that the whole connection from here on is seen, as long as no records are lost. */
  begin(connection: Connection): void;
  /** Gives the state event, and the events that follow from the change. */
  change(connection: Connection, change: HeldRecord): void;
  /** Notes that accept(2) has given the connection to a program: with Fast Open before it is established. */
  accept(connection: Connection, record: TcpRecord): void;
  /** Records were lost: what is counted of the connections alive now is not whole any more. */
  lost(): void;
}

/** States that a connection has only after it was established, or was closed by its program before that. */
function isAfterOpening(state: number): boolean {
  return (
    state === STATE.ESTABLISHED ||
    (state >= STATE.FIN_WAIT1 && state !== STATE.CLOSE && state !== STATE.LISTEN)
  );
}

/** Whole microseconds between two trace times; UNKNOWN where either was not seen. */
function microseconds(from: number, to: number): number {
  const duration = Math.floor((to - from) / 1000);
  return duration >= 0 ? duration : UNKNOWN;
}

/** A change was not seen. Before it is open, a connection cannot have been: what was seen is of another one. */
function forgetTimes(connection: Connection, state: number): void {
  connection.stateSince = Number.NaN;
  if (!isAfterOpening(state)) connection.openSince = Number.NaN;
}

export function createLifecycle({ draft, gate, ledger, ...options }: LifecycleOptions): Lifecycle {
  /** How often records were lost. */
  let losses = 0;

  function passDerived(kind: SingleEventKind, connection: Connection, { time, cpu, task }: HeldRecord): void {
    derive(ledger);
    gate.pass(kind, connection, time, cpu, task);
  }

  function passAccept(connection: Connection, change: HeldRecord): void {
    if (connection.direction === 'passive' && !options.recordsAccepts) {
      passDerived('tcp_accept', connection, change);
    }
  }

  function establish(connection: Connection, change: HeldRecord): void {
    connection.openSince = change.time;
    passAccept(connection, change);
    if (connection.direction === 'active') {
      draft.latencyUs = microseconds(connection.synSentAt, change.time);
      passDerived('tcp_connect_latency', connection, change);
    }
  }

  /**
   * The program closes a connection, or the peer does, before the last packet of its handshake: with Fast Open, where
   * the program has had it since the SYN (RFC 7413), or when both sides opened it at once.
   */
  function openEarly(connection: Connection, change: HeldRecord, since: number): void {
    if (Number.isNaN(connection.openSince)) connection.openSince = since;
    passAccept(connection, change);
  }

  function end(connection: Connection, change: HeldRecord): void {
    draft.durationUs = microseconds(connection.openSince, change.time);
    const isWhole = options.countsRetransmits && connection.lossesBefore === losses;
    draft.retransmits = isWhole ? connection.retransmits : UNKNOWN;
    // The kernel's own count is the better one.
    if (draft.totalRetransmits !== UNKNOWN) draft.retransmits = draft.totalRetransmits;
    passDerived('tcp_life', connection, change);
  }

  return {
    begin(connection) {
      connection.lossesBefore = losses;
    },
    change(connection, change) {
      const { time, cpu, task, oldState, newState } = change;
      draft.oldState = oldState;
      draft.newState = newState;
      if (connection.state !== oldState) forgetTimes(connection, oldState);
      const { stateSince } = connection;
      draft.durationUs = microseconds(stateSince, time);
      connection.state = newState;
      connection.stateSince = time;
      gate.pass('tcp_state', connection, time, cpu, task);

      if (newState === STATE.SYN_SENT) {
        connection.synSentAt = time;
        passDerived('tcp_connect', connection, change);
      } else if (newState === STATE.ESTABLISHED) {
        establish(connection, change);
      } else if (newState === STATE.CLOSE) {
        if (isAfterOpening(oldState) || !Number.isNaN(connection.openSince)) end(connection, change);
      } else if (oldState === STATE.SYN_RECV) {
        openEarly(connection, change, stateSince);
      }
    },
    accept(connection, { time, newState }) {
      if (newState !== STATE.SYN_RECV) return;
      connection.state = newState;
      if (Number.isNaN(connection.openSince)) connection.openSince = time;
    },
    lost() {
      losses++;
    },
  };
}
