/** Which state changes Linux makes: an independent reading of RFC 9293 and of the kernel's tcp_set_state callers. */
import type { StateEvent } from '../../src/event/tcp-event.ts';

/** From each state, the ones that may follow. TIME_WAIT is another kind of socket, so closing ends in CLOSE. */
const LEGAL: Readonly<Record<string, readonly string[]>> = {
  CLOSE: ['SYN_SENT', 'LISTEN'],
  LISTEN: ['SYN_RECV', 'CLOSE'],
  SYN_SENT: ['ESTABLISHED', 'SYN_RECV', 'CLOSE'],
  SYN_RECV: ['ESTABLISHED', 'FIN_WAIT1', 'CLOSE'],
  ESTABLISHED: ['FIN_WAIT1', 'CLOSE_WAIT', 'CLOSE'],
  FIN_WAIT1: ['FIN_WAIT2', 'CLOSING', 'CLOSE'],
  FIN_WAIT2: ['CLOSE'],
  CLOSING: ['CLOSE'],
  CLOSE_WAIT: ['LAST_ACK', 'CLOSE'],
  LAST_ACK: ['CLOSE'],
};

/** What is wrong with the state events of one connection, in the order they came; null when they are a legal walk. */
export function walkProblem(events: readonly StateEvent[]): string | null {
  let last: string | null = null;
  let lastTime = '';
  for (const { old_state, new_state, timestamp } of events) {
    if (last !== null && old_state !== last) return `goes on from ${old_state}, but was in ${last}`;
    if (!LEGAL[old_state ?? '']?.includes(new_state ?? ''))
      return `${old_state} -> ${new_state} is not legal`;
    if (timestamp < lastTime) return `goes back in time at ${old_state} -> ${new_state}`;
    last = new_state;
    lastTime = timestamp;
  }
  return null;
}
