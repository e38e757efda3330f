/** The two programs that talk over the demo's link, each inside its own network namespace. */
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * The server's; the demo shows what has it at either end. No well-known port, and below those that clients
 * are given, so that the host's own connections do not have it.
 */
export const DEMO_PORT = 20_213;
/** A few segments each way, so that a loss has others behind it: fast retransmits and loss probes, not timeouts alone. */
const REQUEST_BYTES = 3_000;
const RESPONSE_BYTES = 12_000;
const REQUESTS_PER_CONNECTION = 8;
const CLIENTS = 12;
/** Bounds the traffic to CLIENTS / PAUSE_MS: 120 requests, some 2,500 packets a second. */
const PAUSE_MS = 100;
const RECONNECT_MS = 500;

/** Resolves with false when the peer closed before `bytes` had come. */
function receive(socket: Socket, bytes: number): Promise<boolean> {
  let missing = bytes;
  return new Promise((resolve) => {
    const finish = (whole: boolean): void => {
      socket.off('data', take).off('close', cut);
      resolve(whole);
    };
    const take = (data: Buffer): void => {
      missing -= data.length;
      if (missing <= 0) finish(true);
    };
    const cut = (): void => finish(false);
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
 * Body of the hidden command `ktc demo-traffic serve|request ADDRESS`. Runs until its standard input
 * ends, that is until the process that started it is gone. Returns the exit code.
 */
export async function runDemoTraffic(args: readonly string[]): Promise<number> {
  const [role, address] = args;
  if (!address || (role !== 'serve' && role !== 'request')) {
    process.stderr.write('demo-traffic is a part of ktc demo: run that\n');
    return 64;
  }
  if (role === 'serve') serve(address);
  else for (let client = 0; client < CLIENTS; client += 1) void request(address, client);
  await new Promise((resolve) => process.stdin.resume().once('close', resolve));
  return 0;
}
