/** What both ways to a receiver of OTLP have in common: HTTP and gRPC. */
import type { Socket } from 'node:net';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { isProgrammerError } from '../../shared/errors.ts';
import type { SinkSocket } from '../sink.ts';
import { isTlsSetting, readTlsFiles, type TlsFiles } from '../tls-files.ts';
import { retry, type Verdict } from './answer/verdict.ts';

export interface TransportOptions {
  readonly url: URL;
  /** The receiver as the log names it: without what a query may hold. */
  readonly where: string;
  /** By lower-case name, for every request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: 'gzip' | 'none';
  /** How long a request may take, from the connection to the last byte of the answer. */
  readonly timeoutMs: number;
  /** For an `https:` URL. */
  readonly tls: TlsFiles;
}

export interface Transport {
  /** Sends one ExportLogsServiceRequest. Never rejects for faults of the world. */
  send(request: Uint8Array): Promise<Verdict>;
  sockets(): SinkSocket[];
  /** Ends everything at once; what was under way fails. */
  close(): void;
}

/** The host to connect to: an IPv6 address without the brackets of the URL. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/** The port to connect to: a URL does not say that of its scheme. */
function portOf({ port, protocol }: URL): number {
  return Number(port) || (protocol === 'https:' ? 443 : 80);
}

/**
 * A new connection to the receiver, with TLS for an `https:` URL. Certificates are read each time; throws as reading
 * them does. `protocol` is the version of HTTP, by its name in ALPN.
 */
export function connect({ url, tls: files }: TransportOptions, protocol: 'http/1.1' | 'h2'): Socket {
  const host = hostOf(url);
  const port = portOf(url);
  if (url.protocol !== 'https:') return net.connect({ host, port }).setNoDelay();
  const socket = tls.connect({
    ...readTlsFiles(files),
    host,
    port,
    ALPNProtocols: [protocol],
    ...(net.isIP(host) === 0 && { servername: host }),
  });
  return socket.setNoDelay();
}

/** More is no answer of OTLP. */
export const MAX_ANSWER_BYTES = 65_536;

/** Events compress well: a higher level costs CPU and saves nearly nothing. */
const GZIP = { level: 1, chunkSize: 64 * 1024 };
const gzipped = promisify<Uint8Array, typeof GZIP, Buffer>(gzip);

export function compress(request: Uint8Array): Promise<Buffer> {
  return gzipped(request, GZIP);
}

/** Follows sockets until they close. */
export interface SocketSet {
  add(socket: Socket): void;
  list(): SinkSocket[];
  destroyAll(): void;
}

export function createSocketSet(): SocketSet {
  const sockets = new Set<Socket>();
  return {
    add(socket) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    },
    list: () =>
      [...sockets].flatMap(({ localPort, remotePort }) =>
        localPort !== undefined && remotePort !== undefined ? [{ localPort, remotePort }] : [],
      ),
    destroyAll() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The error of a connection that could not be begun, such as for a certificate that cannot be read. Bugs are thrown. */
export function connectError(error: unknown): Error {
  if (!(error instanceof Error) || isProgrammerError(error)) throw error;
  return error;
}

/** An error without a message of its own stands for one at every address of the host. */
export function messageOf(error: Error): string {
  return error instanceof AggregateError
    ? error.errors.map(({ message }) => message).join(', ')
    : error.message;
}

/** OpenSSL's line: thread, code, library, function, reason, place in its sources. */
const OPENSSL = /(?:write EPROTO )?[0-9A-F]+:error:[0-9A-F]+:SSL routines:[^:]*:([^:]*):.*$/s;

/** What a connection that failed means, in one line. */
export function connectionVerdict(where: string, failure: string): Verdict {
  const isSetting = isTlsSetting(failure);
  const advice = isSetting ? ': check sink.otlp.tls, and the certificates on both ends' : '';
  return retry(`OTLP receiver ${where}: ${failure.replace(OPENSSL, 'TLS: $1')}${advice}`, {
    mayPass: !isSetting,
  });
}
