/** The common parts of both transports of OTLP: HTTP and gRPC. */
import type { Socket } from 'node:net';
import * as net from 'node:net';
import type { Readable } from 'node:stream';
import * as tls from 'node:tls';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { isProgrammerError } from '../../shared/errors.ts';
import type { SinkSocket } from '../sink.ts';
import { portsOf } from '../sockets.ts';
import { isTlsSetting, readTlsFiles, type TlsFiles, withoutNodeAdvice } from '../tls-files.ts';
import { retry, type Verdict } from './answer/verdict.ts';

export interface TransportOptions {
  readonly url: URL;
  /** The receiver as the log names it: without the query of the URL, which may be secret. */
  readonly where: string;
  /** By lower-case name, for every request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: 'gzip' | 'none';
  /** How long a request may take, from connecting to the last byte of the answer, in milliseconds. */
  readonly timeoutMs: number;
  /** For an `https:` URL. */
  readonly tls: TlsFiles;
}

export interface Transport {
  /** Sends one ExportLogsServiceRequest. Never rejects for faults of the world. */
  send(request: Uint8Array): Promise<Verdict>;
  sockets(): SinkSocket[];
  /** Ends every connection at once; requests under way fail. */
  close(): void;
}

/** The host to connect to: an IPv6 address without the brackets of the URL. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

/** The port to connect to: a URL does not contain the default port of its scheme. */
function portOf({ port, protocol }: URL): number {
  return Number(port) || (protocol === 'https:' ? 443 : 80);
}

/**
 * Opens a new connection to the receiver, with TLS for an `https:` URL. Reads the certificates each time, and throws the
 * system's error for one that cannot be read. `protocol` is the version of HTTP, by its name in ALPN.
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

/** Answers of OTLP are shorter than this. */
export const MAX_ANSWER_BYTES = 65_536;

/** Collects the body of an answer; the function it returns gives all that has arrived. Calls `onTooLong` for a long one. */
export function collectBody(stream: Readable, onTooLong: (failure: string) => void): () => Buffer {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) onTooLong(`its answer is longer than ${MAX_ANSWER_BYTES} bytes`);
  });
  return () => Buffer.concat(chunks);
}

/** Events compress well: a higher level costs CPU and saves almost no bytes. */
const GZIP = { level: 1, chunkSize: 64 * 1024 };
const gzipped = promisify<Uint8Array, typeof GZIP, Buffer>(gzip);

export function compress(request: Uint8Array): Promise<Buffer> {
  return gzipped(request, GZIP);
}

/** The open sockets of a transport. */
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
    list: () => portsOf(sockets),
    destroyAll() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Why a connection could not be started, such as a certificate that cannot be read. A bug is thrown again. */
export function connectError(error: unknown): Error {
  if (!(error instanceof Error) || isProgrammerError(error)) throw error;
  return error;
}

/** The message of an error. An AggregateError stands for one error per address of the host. */
export function messageOf(error: Error): string {
  return error instanceof AggregateError
    ? error.errors.map(({ message }) => message).join(', ')
    : error.message;
}

/** The line of OpenSSL: thread, code, library, function, reason, position in its sources. */
const OPENSSL = /(?:write EPROTO )?[0-9A-F]+:error:[0-9A-F]+:SSL routines:[^:]*:([^:]*):.*$/s;

/** The verdict for a connection that failed. */
export function connectionVerdict(where: string, failure: string): Verdict {
  const isSetting = isTlsSetting(failure);
  const advice = isSetting ? ': check sink.otlp.tls, and the certificates on both ends' : '';
  return retry(`OTLP receiver ${where}: ${withoutNodeAdvice(failure).replace(OPENSSL, 'TLS: $1')}${advice}`, {
    mayPass: !isSetting,
  });
}
