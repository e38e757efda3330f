/** The connections of a sink: opened within its time-outs, known for as long as they are open, ended together. */
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { connect, secure } from '../shared/connect.ts';
import type { SinkSocket } from './sink.ts';

/** Where to connect to. */
export interface Target {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  /** What TLS needs beside the name of the host; null for a connection without TLS. */
  readonly tls: ConnectionOptions | null;
}

export interface DialOptions {
  /** For everything until the connection can be used: the look-up of the name, TCP and TLS. */
  readonly timeoutMs: number;
  /** Gives up when it is aborted. */
  readonly signal?: AbortSignal;
}

export interface Dialer {
  /** Resolves with a connection that is ready, TLS included. Rejects with one line, which has the system's `code`. */
  dial(target: Target, options: DialOptions): Promise<Socket>;
  /** Those that are connected, so that the agent can leave its own traffic out of the events. */
  sockets(): SinkSocket[];
  /** Ends the connections to one host and port, and those that are being made. */
  hangUp(host: string, port: number): void;
  /** Ends every connection; from then on every dial fails. */
  close(): void;
}

/** How often each `host:port` was dialled, by any dialer: one that replaces another begins with another address. */
const turns = new Map<string, number>();

export function createDialer(): Dialer {
  /** By socket: `host:port`. */
  const open = new Map<Socket, string>();
  /** What is being made, by its end. */
  const dialling = new Map<AbortController, string>();
  let isClosed = false;

  const givenUp = () => new Error('this connection was given up');

  function keep<Kept extends Socket>(socket: Kept, peer: string): Kept {
    open.set(socket, peer);
    socket.once('close', () => open.delete(socket));
    return socket;
  }

  function hangUpWhere(isMeant: (peer: string) => boolean): void {
    for (const [controller, peer] of dialling) if (isMeant(peer)) controller.abort(givenUp());
    // With an error: kafkajs does not listen to 'close'.
    for (const [socket, peer] of open) if (isMeant(peer)) socket.destroy(givenUp());
  }

  async function openConnection(
    { host, port, tls }: Target,
    peer: string,
    signal: AbortSignal,
  ): Promise<Socket> {
    const turn = turns.get(peer) ?? 0;
    turns.set(peer, turn + 1);
    const socket = keep(await connect(host, port, signal, turn), peer);
    if (tls === null) return socket;
    const secured = await secure(socket, host, tls, signal);
    open.delete(socket);
    return keep(secured, peer);
  }

  return {
    async dial(target, { timeoutMs, signal }) {
      if (isClosed) throw givenUp();
      const peer = `${target.host}:${target.port}`;
      const controller = new AbortController();
      const giveUp = () => controller.abort(givenUp());
      const timer = setTimeout(
        () => controller.abort(timedOut(`no connection to ${peer} within ${timeoutMs} ms`)),
        timeoutMs,
      );
      signal?.addEventListener('abort', giveUp);
      if (signal?.aborted) giveUp();
      dialling.set(controller, peer);
      try {
        return await openConnection(target, peer, controller.signal);
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        dialling.delete(controller);
      }
    },
    sockets: () => portsOf(open.keys()),
    hangUp: (host, port) => hangUpWhere((peer) => peer === `${host}:${port}`),
    close() {
      isClosed = true;
      hangUpWhere(() => true);
    },
  };
}

/** The ports of those sockets that are connected. */
function portsOf(sockets: Iterable<Socket>): SinkSocket[] {
  return [...sockets].flatMap(({ localPort, remotePort }) =>
    localPort !== undefined && remotePort !== undefined ? [{ localPort, remotePort }] : [],
  );
}

function timedOut(message: string): Error {
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' });
}
