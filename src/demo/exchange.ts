/** The two programs that talk over the demo's link, each in its own network namespace. */
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { DONE, type Result, refusal } from '../shared/result.ts';

/**
 * The port of the server. The demo shows the events of connections with this port at either end, so it is neither a
 * well-known port nor one of those that Linux gives to clients (`net.ipv4.ip_local_port_range`).
 */
export const DEMO_PORT = 20_213;
/**
 * Each message is a few segments, so that others follow a lost one: TCP then has fast retransmits and loss probes,
 * not timeouts alone.
 */
const REQUEST_BYTES = 3_000;
const RESPONSE_BYTES = 12_000;
const REQUESTS_PER_CONNECTION = 8;
const CLIENTS = 12;
/** Bounds the traffic to CLIENTS / PAUSE_MS: 120 requests and some 2,500 packets per second. */
const PAUSE_MS = 100;
const RECONNECT_MS = 500;

/** Resolves with false when the peer closed before this many bytes had come. */
function receive(socket: Socket, bytes: number): Promise<boolean> {
  let missing = bytes;
  return new Promise((resolve) => {
    function finish(whole: boolean): void {
      socket.off('data', take).off('close', cut);
      resolve(whole);
    }
    function take(data: Buffer): void {
      missing -= data.length;
      if (missing <= 0) finish(true);
    }
    function cut(): void {
      finish(false);
    }
    socket.on('data', take).on('close', cut);
  });
}

async function answer(socket: Socket): Promise<void> {
  const response = Buffer.alloc(RESPONSE_BYTES);
  while (await receive(socket, REQUEST_BYTES)) socket.write(response);
}

/** Answers requests at `address` and prints one line when it listens. */
function serve(address: string): void {
  const server = createServer({ noDelay: true }, (socket) => {
    // A lost connection is what the demo is about; the client makes another.
    socket.on('error', () => socket.destroy());
    answer(socket);
  });
  server.listen(DEMO_PORT, address, () => process.stdout.write('listening\n'));
}

async function exchange(address: string): Promise<void> {
  const socket = connect({ host: address, port: DEMO_PORT, noDelay: true });
  socket.on('error', () => socket.destroy());
  const request = Buffer.alloc(REQUEST_BYTES);
  for (let sent = 0; sent < REQUESTS_PER_CONNECTION && !socket.destroyed; sent += 1) {
    socket.write(request);
    if (!(await receive(socket, RESPONSE_BYTES))) break;
    await delay(PAUSE_MS);
  }
  socket.end();
}

async function request(address: string, client: number): Promise<never> {
  // Spread over one pause, so that the clients do not send in step.
  await delay((client * PAUSE_MS) / CLIENTS);
  for (;;) {
    const started = Date.now();
    await exchange(address);
    if (Date.now() - started < RECONNECT_MS) await delay(RECONNECT_MS);
  }
}

/**
 * The hidden command `ktc demo-traffic serve|request ADDRESS`. Runs until its standard input ends, that is until the
 * process that started it is gone. Refuses other arguments.
 */
export async function runDemoTraffic(args: readonly string[]): Promise<Result> {
  const [role, address] = args;
  if (!address || (role !== 'serve' && role !== 'request'))
    return refusal('demo-traffic is a part of ktc demo: run that');
  if (role === 'serve') serve(address);
  else for (let client = 0; client < CLIENTS; client += 1) void request(address, client);
  await new Promise((resolve) => process.stdin.resume().once('close', resolve));
  return DONE;
}
