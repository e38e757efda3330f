/** What is known of connections that are older than the agent, until their first record comes. */
import type { TcpRecord } from '../../source/decode/record.ts';
import type { ExistingConnection } from '../../source/host/sockets.ts';

export interface ExistingConnections {
  /** What is known of a record's connection, once: the second time it is another with the same flow. */
  take(record: TcpRecord): ExistingConnection | null;
}

/** Both ends, told apart by namespace where the source gives it. */
function keyOf(netns: number, ends: string): string {
  return netns < 0 ? ends : `${netns} ${ends}`;
}

/** Both ports as one number: with it a record that belongs to no known connection is told without making text. */
function portsOf(localPort: number, remotePort: number): number {
  return localPort * 0x1_0000 + remotePort;
}

function endsOf({ local, localPort, remote, remotePort }: ExistingConnection): string {
  return `${local} ${localPort} ${remote} ${remotePort}`;
}

/** Keeps at most `capacity` of them. */
export function createExistingConnections(
  existing: readonly ExistingConnection[],
  capacity: number,
): ExistingConnections {
  const known = new Map<string, ExistingConnection>();
  const ports = new Set<number>();
  /** In two namespaces at a time: without a namespace there is no telling which. */
  const ambiguous = new Set<string>();
  for (const connection of existing.slice(0, capacity)) {
    const ends = endsOf(connection);
    known.set(keyOf(connection.netns, ends), connection);
    if (known.has(ends)) ambiguous.add(ends);
    known.set(ends, connection);
    ports.add(portsOf(connection.localPort, connection.remotePort));
  }
  for (const ends of ambiguous) known.delete(ends);
  return {
    take({ bytes, addressLength, localAddress, localPort, remoteAddress, remotePort, netns }) {
      if (!ports.has(portsOf(localPort, remotePort))) return null;
      const address = (at: number) => bytes.toString('hex', at, at + addressLength);
      const ends = `${address(localAddress)} ${localPort} ${address(remoteAddress)} ${remotePort}`;
      const found = known.get(keyOf(netns, ends));
      if (found === undefined) return null;
      known.delete(ends);
      known.delete(keyOf(found.netns, ends));
      return found;
    },
  };
}
