/** The common parts of both transports of OTLP: HTTP and gRPC. */
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { isProgrammerError } from '../../shared/errors.ts';
import { type Compress, createGzip } from '../compression.ts';
import type { Dialer } from '../dialer.ts';
import type { SinkSocket } from '../sink.ts';
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
 * Opens a new connection to the receiver, with TLS for an `https:` URL. Reads the certificates each time, and rejects with
 * the system's error for one that cannot be read. `protocol` is the version of HTTP, by its name in ALPN.
 */
export async function connect(
  dialer: Dialer,
  { url, tls: files, timeoutMs }: TransportOptions,
  protocol: 'http/1.1' | 'h2',
): Promise<Socket> {
  const tls = url.protocol === 'https:' ? { ...readTlsFiles(files), ALPNProtocols: [protocol] } : null;
  const socket = await dialer.dial({ host: hostOf(url), port: portOf(url), tls }, { timeoutMs });
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
const GZIP_LEVEL = 1;

/** How requests are compressed, null where they are sent as they are. */
export function compressionOf({ compression }: TransportOptions): Compress | null {
  return compression === 'gzip' ? createGzip(GZIP_LEVEL) : null;
}

/** Null for what is not compressed by gzip, or becomes too long. */
export function decompress(answer: Buffer): Buffer | null {
  try {
    return gunzipSync(answer, { maxOutputLength: MAX_ANSWER_BYTES });
  } catch {
    return null;
  }
}

/** Why there is no connection, such as a certificate that cannot be read. A bug is thrown again. */
export function connectError(error: unknown): Error {
  if (!(error instanceof Error) || isProgrammerError(error)) throw error;
  return error;
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
