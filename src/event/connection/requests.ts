/** Connections that are known only by a retransmitted SYN-ACK: requests, whose socket does not exist yet. */
import type { Connection } from './connection.ts';

/** How long a request lives after its last SYN-ACK: at most TCP_RTO_MAX, 120 s (include/net/tcp.h). */
const REQUEST_LIFE_NS = 120_000_000_000;

export interface Requests {
  /**
   * Notes that a SYN-ACK of this request was retransmitted at this trace time, ns. Gives the request that had the same
   * ends before, which has ended without a record; null where there is none.
   */
  note(request: Connection, time: number): Connection | null;
  /**
   * The request that a connection came of, or null. The connection goes on under the identifier of the request, whose
   * retransmits are its own, unless so much time has passed that it is another with the same ends.
   */
  adopt(connection: Connection, time: number): Connection | null;
  /** Forgets a connection that has come or gone. */
  forget(connection: Connection): void;
  /** Forgets one request that does not live any more at this trace time, and gives it; null where there is none. */
  expireOne(time: number): Connection | null;
}

function flowKey({ flow }: Connection): string {
  return flow === null
    ? ''
    : `${flow.remoteAddress} ${flow.remotePort} ${flow.localAddress} ${flow.localPort}`;
}

export function createRequests(): Requests {
  /** The one whose last SYN-ACK is the oldest first. */
  const requests = new Map<string, Connection>();

  function forget(connection: Connection): void {
    if (requests.size === 0) return;
    const key = flowKey(connection);
    if (requests.get(key) === connection) requests.delete(key);
  }

  return {
    note(request, time) {
      const key = flowKey(request);
      const before = requests.get(key) ?? request;
      request.stateSince = time;
      requests.delete(key);
      requests.set(key, request);
      return before === request ? null : before;
    },
    adopt(connection, time) {
      if (requests.size === 0 || connection.direction === 'active') return null;
      const request = requests.get(flowKey(connection));
      if (request === undefined || request === connection) return null;
      if (time - request.stateSince < REQUEST_LIFE_NS) {
        connection.id = request.id;
        connection.direction = 'passive';
        connection.retransmits += request.retransmits;
      }
      forget(request);
      return request;
    },
    forget,
    expireOne(time) {
      if (requests.size === 0) return null;
      for (const request of requests.values()) {
        if (time - request.stateSince < REQUEST_LIFE_NS) return null;
        forget(request);
        return request;
      }
      return null;
    },
  };
}
