/**
 * Makes TCP connections with itself until it is killed: IPv4, IPv6 and IPv4-mapped, long and short, closed in order,
 * reset and refused. Runs inside a guest; the loss comes from the link (lossy-loopback.sh).
 * Usage: traffic.ts SERVER_IPV4 SERVER_IPV6
 */
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';

const [ipv4, ipv6] = process.argv.slice(2);
if (ipv4 === undefined || ipv6 === undefined) throw new Error('usage: traffic.ts SERVER_IPV4 SERVER_IPV6');

const workers = 8;
const refusedPort = 9;
const longBytes = 256 * 1024;
const shortBytes = 512;

async function listen(host: string, ipv6Only: boolean): Promise<Server> {
  const server = createServer((socket) => {
    socket.pipe(socket);
    // Resets are part of the traffic.
    socket.on('error', () => socket.destroy());
  });
  server.listen({ host, port: 0, ipv6Only });
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('server has no port');
  return address.port;
}

async function exchange(host: string, port: number, turn: number): Promise<void> {
  const socket = connect({ host, port });
  socket.on('error', () => socket.destroy());
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.resume();
  if (turn % 10 === 3) {
    socket.write('half a reque');
    socket.once('data', () => socket.resetAndDestroy());
  } else {
    socket.end(Buffer.alloc(turn % 4 === 0 ? longBytes : shortBytes, 'x'));
  }
  await closed;
}

// Connections to the dual-stack server's IPv4 address are accepted on IPv6 sockets with mapped addresses.
const plain = portOf(await listen(ipv4, false));
const dualStack = portOf(await listen('::', false));
const targets = [
  { host: ipv4, port: plain },
  { host: ipv6, port: dualStack },
  { host: ipv4, port: dualStack },
  { host: `::ffff:${ipv4}`, port: plain },
] as const;

let turn = 0;
async function work(): Promise<never> {
  for (;;) {
    turn += 1;
    for (const { host, port } of targets) await exchange(host, turn % 20 === 7 ? refusedPort : port, turn);
  }
}
await Promise.all(Array.from({ length: workers }, work));
