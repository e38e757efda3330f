/**
 * Which state changes Linux makes: an independent reading of RFC 9293 and of who calls tcp_set_state() in Linux 6.1 to 6.18:
 * net/ipv4/tcp.c (`new_state`, tcp_close, tcp_shutdown, tcp_disconnect, tcp_done), tcp_input.c (tcp_rcv_state_process,
 * tcp_fin, tcp_reset), tcp_ipv4.c (tcp_v4_connect), inet_connection_sock.c (inet_csk_listen_start, inet_csk_clone_lock).
 */
import type { TcpState } from '../../src/event/kinds.ts';
import type { StateEvent } from '../../src/event/tcp-event.ts';

/** Who makes a change: the program's call, or whatever processes a packet or a timer. */
export type Maker = 'call' | 'kernel';

/**
 * From each state the next ones, the same state too where a call or a packet sets it again; those that come more often stand
 * there twice. TIME_WAIT is another kind of socket, so closing ends in CLOSE.
 */
export const NEXT: Readonly<Partial<Record<TcpState, readonly (readonly [TcpState, Maker])[]>>> = {
  LISTEN: [['CLOSE', 'call']],
  SYN_SENT: [
    ['ESTABLISHED', 'kernel'],
    ['ESTABLISHED', 'kernel'],
    ['SYN_RECV', 'kernel'],
    ['CLOSE', 'kernel'],
    ['CLOSE', 'call'],
  ],
  SYN_RECV: [
    ['ESTABLISHED', 'kernel'],
    ['ESTABLISHED', 'kernel'],
    ['FIN_WAIT1', 'call'],
    ['CLOSE_WAIT', 'kernel'],
    ['CLOSE', 'kernel'],
    ['CLOSE', 'call'],
  ],
  ESTABLISHED: [
    ['FIN_WAIT1', 'call'],
    ['FIN_WAIT1', 'kernel'],
    ['CLOSE_WAIT', 'kernel'],
    ['CLOSE', 'kernel'],
    ['CLOSE', 'call'],
  ],
  FIN_WAIT1: [
    ['FIN_WAIT1', 'call'],
    ['FIN_WAIT2', 'kernel'],
    ['CLOSING', 'kernel'],
    ['CLOSE', 'kernel'],
  ],
  FIN_WAIT2: [
    ['FIN_WAIT2', 'call'],
    ['CLOSE', 'kernel'],
  ],
  CLOSING: [
    ['CLOSING', 'call'],
    ['CLOSE', 'kernel'],
  ],
  CLOSE_WAIT: [
    ['LAST_ACK', 'call'],
    ['LAST_ACK', 'call'],
    ['CLOSE', 'kernel'],
    ['CLOSE', 'call'],
  ],
  LAST_ACK: [
    ['LAST_ACK', 'call'],
    ['CLOSE', 'kernel'],
  ],
};

/** How a socket comes into the table: by a call of its program, or as the child of a listener. */
const FIRST: Readonly<Partial<Record<TcpState, readonly TcpState[]>>> = {
  CLOSE: ['SYN_SENT', 'LISTEN'],
  LISTEN: ['SYN_RECV'],
};

function isLegal(from: TcpState, to: TcpState): boolean {
  const next = [...(NEXT[from] ?? []).map(([state]) => state), ...(FIRST[from] ?? [])];
  return from !== to && next.includes(to);
}

/** What is wrong with the state events of one connection, in the order they came; null when they are a legal walk. */
export function walkProblem(events: readonly StateEvent[]): string | null {
  let last: string | null = null;
  let lastTime = '';
  for (const { old_state, new_state, timestamp } of events) {
    if (last !== null && old_state !== last) return `goes on from ${old_state}, but was in ${last}`;
    if (old_state === null || new_state === null || !isLegal(old_state, new_state))
      return `${old_state} -> ${new_state} is not legal`;
    if (timestamp < lastTime) return `goes back in time at ${old_state} -> ${new_state}`;
    last = new_state;
    lastTime = timestamp;
  }
  return null;
}
