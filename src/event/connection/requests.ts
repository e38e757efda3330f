/** Connections that are known only by a retransmitted SYN-ACK: requests, whose socket does not exist yet. */
import type { Connection } from './connection.ts';

/** How long a request lives after its last SYN-ACK: at most TCP_RTO_MAX, 120 s (include/net/tcp.h). */
const REQUEST_LIFE_NS = 120_000_000_000;

export interface Requests {
  /** Notes that a SYN-ACK of this request was retransmitted at this trace time, ns. */
  note(request: Connection, time: number): void;
  /**
   * The request that a connection came of, or null. The connection goes on under the identifier of the request, whose
   * retransmits are its own, unless so much time has passed that it is another with the same ends.
   */
  adopt(connection: Connection, time: number): Connection | null;
  /** Forgets a connection that has come or gone. */
  forget(connection: Connection): void;
}

function flowKey({ flow }: Connection): string {
  return flow === null
    ? ''
    : `${flow.remoteAddress} ${flow.remotePort} ${flow.localAddress} ${flow.localPort}`;
}

export function createRequests(): Requests {
  const requests = new Map<string, Connection>();

  function forget(connection: Connection): void {
    if (requests.size === 0) return;
    const key = flowKey(connection);
    if (requests.get(key) === connection) requests.delete(key);
  }

  return {
    note(request, time) {
      request.stateSince = time;
      requests.set(flowKey(request), request);
    },
    adopt(connection, time) {
      if (requests.size === 0 || connection.direction !== 'passive') return null;
      const request = requests.get(flowKey(connection));
      if (request === undefined || request === connection) return null;
      if (time - request.stateSince < REQUEST_LIFE_NS) {
        connection.id = request.id;
        connection.retransmits += request.retransmits;
      }
      forget(request);
      return request;
    },
    forget,
  };
}
