/**
 * Opens connections with patience of our own. Node.js gives each address of a name but the last one 250 ms and then
 * abandons it (`autoSelectFamilyAttemptTimeout`), so it never reaches a receiver that needs longer. Here an attempt goes
 * on while the next address is tried, as RFC 8305 has it: the first connection is used, and only the caller's signal
 * ends the others.
 */
import * as dns from 'node:dns/promises';
import * as net from 'node:net';
import * as tls from 'node:tls';

/** "Connection Attempt Delay", RFC 8305 section 8: the next address is tried after it. */
const ATTEMPT_DELAY_MS = 250;

/**
 * Connects to a name, or to an address without brackets. Rejects with one error for all addresses, which has the system's
 * `code`, or with the reason of the signal. `turn` says which address is tried first: one may accept connections and never
 * answer, so another try is to begin with another one.
 */
export async function connect(
  host: string,
  port: number,
  signal: AbortSignal,
  turn = 0,
): Promise<net.Socket> {
  const addresses = await orAborted(addressesOf(host), signal);
  const first = turn % Math.max(1, addresses.length);
  return connectFirst([...addresses.slice(first), ...addresses.slice(0, first)], port, signal);
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
export function secure(
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

/** One error for those of all addresses. */
function allFailed(failures: readonly Error[]): Error {
  const [first, ...others] = failures;
  if (first === undefined || others.length === 0) return first ?? new Error('no address');
  const { code } = first as { code?: string };
  return Object.assign(new Error(failures.map(({ message }) => message).join(', ')), { code });
}
