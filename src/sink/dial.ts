/**
 * Opens the connections of every sink, with patience of our own. Node.js gives each address of a name but the last one
 * 250 ms and then abandons it (`autoSelectFamilyAttemptTimeout`), so it never reaches a receiver that needs longer. Here
 * an attempt goes on while the next address is tried, as RFC 8305 has it: the first connection is used, and only the
 * deadline of the caller ends the others.
 */
import * as dns from 'node:dns/promises';
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { SinkSocket } from './sink.ts';
import { portsOf } from './sockets.ts';

/** Where to connect to. */
export interface Target {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  /** What TLS needs beside the name of the host; null for a connection without TLS. */
  readonly tls: tls.ConnectionOptions | null;
}

export interface DialOptions {
  /** For everything until the connection can be used: the look-up of the name, TCP and TLS. */
  readonly timeoutMs: number;
  /** Gives up when it is aborted. */
  readonly signal?: AbortSignal;
}

export interface Dialer {
  /** Resolves with a connection that is ready, TLS included. Rejects with one line, which has the system's `code`. */
  dial(target: Target, options: DialOptions): Promise<net.Socket>;
  /** Those that are connected. */
  sockets(): SinkSocket[];
  /** Ends the connections to one host and port, and those that are being made. */
  hangUp(host: string, port: number): void;
  /** Ends every connection; from then on every dial fails. */
  close(): void;
}

/** "Connection Attempt Delay", RFC 8305 section 8: the next address is tried after it. */
const ATTEMPT_DELAY_MS = 250;

export function createDialer(): Dialer {
  /** By socket: `host:port`. */
  const open = new Map<net.Socket, string>();
  /** What is being made, by its end. */
  const dialling = new Map<AbortController, string>();
  let isClosed = false;

  const givenUp = () => new Error('this connection was given up');

  function keep<Kept extends net.Socket>(socket: Kept, peer: string): Kept {
    open.set(socket, peer);
    socket.once('close', () => open.delete(socket));
    return socket;
  }

  function hangUpWhere(isMeant: (peer: string) => boolean): void {
    for (const [controller, peer] of dialling) if (isMeant(peer)) controller.abort(givenUp());
    // With an error: kafkajs does not listen to 'close'.
    for (const [socket, peer] of open) if (isMeant(peer)) socket.destroy(givenUp());
  }

  async function connect(target: Target, peer: string, signal: AbortSignal): Promise<net.Socket> {
    const addresses = await orAborted(addressesOf(target.host), signal);
    const socket = keep(await connectFirst(addresses, target.port, signal), peer);
    if (target.tls === null) return socket;
    const secured = await secure(socket, target.host, target.tls, signal);
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
        return await connect(target, peer, controller.signal);
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

/** The addresses of a name, IPv6 and IPv4 in turns: where one family is dead, the other one is tried soon. */
async function addressesOf(host: string): Promise<string[]> {
  if (net.isIP(host) !== 0) return [host];
  const found = await dns.lookup(host, { all: true, order: 'verbatim' });
  const first = found.filter(({ family }) => family === found[0]?.family);
  const second = found.filter((each) => !first.includes(each));
  return Array.from({ length: Math.max(first.length, second.length) }, (_, index) =>
    [first[index], second[index]].flatMap((each) => each?.address ?? []),
  ).flat();
}

/** Connects to the addresses, one `ATTEMPT_DELAY_MS` after the other; resolves with the first connection. */
function connectFirst(addresses: readonly string[], port: number, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const attempts = new Set<net.Socket>();
    const failures: Error[] = [];
    const left = [...addresses];
    let timer: NodeJS.Timeout | undefined;

    function end(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      for (const attempt of attempts) attempt.destroy();
    }

    function onAbort(): void {
      end();
      reject(signal.reason);
    }

    function tryNext(): void {
      clearTimeout(timer);
      const host = left.shift();
      if (host === undefined) return;
      const socket = net.connect({ host, port });
      attempts.add(socket);
      if (left.length > 0) timer = setTimeout(tryNext, ATTEMPT_DELAY_MS);
      const onError = (error: Error) => {
        attempts.delete(socket);
        failures.push(error);
        if (left.length > 0) return tryNext();
        if (attempts.size > 0) return;
        end();
        reject(allFailed(failures));
      };
      socket.once('error', onError);
      socket.once('connect', () => {
        socket.off('error', onError);
        attempts.delete(socket);
        end();
        resolve(socket);
      });
    }

    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    else tryNext();
  });
}

/** TLS over a connection. The certificate is checked whatever NODE_TLS_REJECT_UNAUTHORIZED says. */
function secure(
  connection: net.Socket,
  host: string,
  options: tls.ConnectionOptions,
  signal: AbortSignal,
): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      minVersion: 'TLSv1.2',
      ...options,
      socket: connection,
      host,
      ...(net.isIP(host) === 0 && { servername: host }),
      rejectUnauthorized: true,
    });
    const onAbort = () => socket.destroy(signal.reason);
    const end = () => {
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError);
    };
    const onError = (error: Error) => {
      end();
      reject(error);
    };
    socket.once('error', onError);
    socket.once('secureConnect', () => {
      end();
      resolve(socket);
    });
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
}

/** The promise, or the reason of the signal if that comes first. */
function orAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function timedOut(message: string): Error {
  return Object.assign(new Error(message), { code: 'ETIMEDOUT' });
}

/** One error for those of all addresses. */
function allFailed(failures: readonly Error[]): Error {
  const [first, ...others] = failures;
  if (first === undefined || others.length === 0) return first ?? new Error('no address');
  const { code } = first as { code?: string };
  return Object.assign(new Error(failures.map(({ message }) => message).join(', ')), { code });
}
