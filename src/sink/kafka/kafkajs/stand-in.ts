/** kafkajs wants a socket at once; ours is there when the dialer has chosen one of the addresses. */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';

const FORWARDED = ['data', 'end', 'error'] as const;

/**
 * What kafkajs 2.2.4 uses of a socket (its network/connection.js): the events 'data', 'end' and 'error', and the methods
 * below. `onConnect` is called when it can be written to.
 */
export function standIn(connect: (signal: AbortSignal) => Promise<Socket>, onConnect: () => void): Socket {
  const events = new EventEmitter();
  const ended = new AbortController();
  let socket: Socket | null = null;

  connect(ended.signal).then(
    (connected) => {
      socket = connected;
      for (const name of FORWARDED) connected.on(name, (value: unknown) => events.emit(name, value));
      onConnect();
    },
    (error: unknown) => {
      // kafkajs itself has given it up then.
      if (!ended.signal.aborted) events.emit('error', error);
    },
  );

  const used = Object.assign(events, {
    write: (bytes: string | Uint8Array, encoding?: BufferEncoding) => socket?.write(bytes, encoding) ?? false,
    end() {
      ended.abort();
      socket?.end();
    },
    unref: () => void socket?.unref(),
  });
  return used as unknown as Socket;
}
