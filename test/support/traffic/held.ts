/**
 * TCP of a known shape with its own log, a JSON object a connection: how much each carried and how long it was open.
 * Every second connection is closed by the server. Also runs inside a guest.
 *
 *   held.ts serve ADDRESS PORT               until the end of its standard input; prints {"listening":true} first
 *   held.ts hold  ADDRESS PORT CONNECTIONS   opens them one after the other, holds them side by side
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { TrafficRecord } from './traffic.ts';

export interface HeldRecord extends TrafficRecord {
  /** From connect(2) to established as the client sees it, and how long it was held then; 0 of a server. */
  readonly latency_ms: number;
  readonly hold_ms: number;
  /** From connect(2), or from accept(2), until its program knew that it was closed. */
  readonly total_ms: number;
}

/** Of the connection with this number: primes, so that no two are alike. */
export const requestBytes = (index: number): number => 1_009 + 4_003 * index;
const responseBytes = (index: number): number => 2_003 + 8_009 * index;
const holdMs = (index: number): number => 331 + 13 * index;
/**
 * Of the client's ports, one after the other, below those that the kernel chooses from: it would choose again, some time,
 * one of a connection that the server has closed, and two connections with the same ends cannot be told apart.
 */
const firstPort = 10_000 + 100 * (process.pid % 200);

function log(
  socket: Socket,
  side: HeldRecord['side'],
  startedAt: number,
  latencyMs: number,
  hold: number,
): void {
  const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = socket;
  socket.once('close', () => {
    const record: HeldRecord = {
      side,
      pid: process.pid,
      local_address: localAddress,
      local_port: localPort,
      remote_address: remoteAddress,
      remote_port: remotePort,
      bytes_sent: socket.bytesWritten,
      bytes_received: socket.bytesRead,
      latency_ms: latencyMs,
      hold_ms: hold,
      total_ms: performance.now() - startedAt,
    };
    process.stdout.write(`${JSON.stringify(record)}\n`);
  });
}

/** The first line of a request is the number of its connection. */
function answer(socket: Socket): void {
  log(socket, 'server', performance.now(), 0, 0);
  socket.once('data', (data: Buffer) => {
    const index = Number.parseInt(data.toString('latin1'), 10);
    socket.write(Buffer.alloc(responseBytes(index)));
    if (index % 2 === 1) setTimeout(() => socket.end(), holdMs(index));
  });
  socket.resume();
}

async function serve(host: string, port: number): Promise<void> {
  const server = createServer(answer).listen(port, host);
  await once(server, 'listening');
  process.stdout.write('{"listening":true}\n');
  await once(process.stdin.resume(), 'end');
  server.close();
}

async function hold(host: string, port: number, connections: number): Promise<void> {
  for (let index = 0; index < connections; index++) {
    const startedAt = performance.now();
    const socket = connect({ port, host, localPort: firstPort + index });
    await once(socket, 'connect');
    log(socket, 'client', startedAt, performance.now() - startedAt, holdMs(index));
    // The server answers what it has accepted. If the end came before, the kernel would have no owner to tell of.
    if (index % 2 === 0) socket.once('data', () => setTimeout(() => socket.end(), holdMs(index)));
    socket.resume();
    socket.write(`${index}\n`.padEnd(requestBytes(index)));
  }
}

const [verb, host = '', port = '', connections = ''] = process.argv.slice(2);
if (verb === 'serve') await serve(host, Number(port));
if (verb === 'hold') await hold(host, Number(port), Number(connections));
