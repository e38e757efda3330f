/** The sockets of a sink, so that the agent can leave its own traffic out of the events. */
import type { Socket } from 'node:net';
import type { SinkSocket } from './sink.ts';

/** The ports of those sockets that are connected. */
export function portsOf(sockets: Iterable<Socket>): SinkSocket[] {
  return [...sockets].flatMap(({ localPort, remotePort }) =>
    localPort !== undefined && remotePort !== undefined ? [{ localPort, remotePort }] : [],
  );
}
