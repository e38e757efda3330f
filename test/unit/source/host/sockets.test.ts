import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type ExistingConnection,
  joinSnapshots,
  parseSockets,
  readExistingConnections,
  readTable,
} from '../../../../src/source/host/sockets.ts';
import { taskOf } from '../../../support/tasks.ts';

describe('a table of sockets', () => {
  const header =
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';

  test('over IPv4', () => {
    const row =
      '   1: 0201000A:01BB 0A640164:C001 01 00000000:00000000 02:000A7B6C 00000000     0        0 4711 2 0000000000000000 20 4 30 10 -1';
    expect(parseSockets(`${header}\n${row}\n`)).toEqual([
      { local: '0a000102', localPort: 443, remote: '6401640a', remotePort: 49_153, state: 1, inode: '4711' },
    ]);
  });

  test('over IPv6, and IPv4 through IPv6 sockets as IPv4', () => {
    const rows = [
      '   0: B80D0120000000000000000001000000:01BB B80D0120000000000000000002000000:C001 08 00000000:00000000 00:00000000 00000000     0        0 7 1 0000000000000000 20 4 30 10 -1',
      '   1: 0000000000000000FFFF00000100007F:01BB 0000000000000000FFFF00000100007F:C002 01 00000000:00000000 00:00000000 00000000     0        0 8 1 0000000000000000 20 4 30 10 -1',
    ];
    expect(parseSockets([header, ...rows].join('\n'))).toMatchObject([
      { local: '20010db8000000000000000000000001', remote: '20010db8000000000000000000000002', state: 8 },
      { local: '7f000001', remote: '7f000001', localPort: 443, remotePort: 49_154 },
    ]);
  });

  test('leaves out what is in TIME_WAIT, also with five digits for a number', () => {
    const rest = '00000000:00000000 03:00001764 00000000     0        0 0 3 0000000000000000';
    const rows = [
      `   1: 0201000A:01BB 0A640164:C001 06 ${rest}`,
      `27000: 0201000A:01BB 0A640164:C001 01 ${rest}`,
    ];
    expect(parseSockets(rows.join('\n'))).toMatchObject([{ state: 1 }]);
  });

  test('is the same when it is read in pieces, which end within a row', () => {
    const directory = mkdtempSync(join(tmpdir(), 'ktc-table-'));
    try {
      const rows = Array.from({ length: 3_000 }, (_, index) => {
        const port = index.toString(16).padStart(4, '0').toUpperCase();
        return `${index}: 0201000A:01BB 0A640164:${port} 01 00000000:00000000 00:00000000 00000000 0 0 ${index} 1`;
      });
      const file = join(directory, 'tcp');
      for (const text of [`${[header, ...rows].join('\n')}\n`, [header, ...rows].join('\n')]) {
        writeFileSync(file, text);
        expect(readTable(file)).toEqual(parseSockets(text));
      }
      expect(readTable(file).map(({ remotePort }) => remotePort)).toEqual([...rows.keys()]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('leaves out what is no row', () => {
    expect(parseSockets(`${header}\n\nnonsense\n   1: 0201000A 0A640164:C001 01\n`)).toEqual([]);
  });
});

describe('a snapshot of this host', () => {
  test('has both ends of a connection, who opened it, and its owner', async () => {
    const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = connect(port, '127.0.0.1');
    const [[accepted]] = (await Promise.all([
      once(server, 'connection'),
      once(client, 'connect'),
    ])) as unknown as [[{ destroy(): void }]];
    try {
      // Both ports: another namespace may use one of them for something else.
      const ours = [port, client.localPort ?? 0];
      const found = (await readExistingConnections()).filter(
        ({ localPort, remotePort }) => ours.includes(localPort) && ours.includes(remotePort),
      );
      const loopback = { local: '7f000001', remote: '7f000001' };
      const ends = (remotePort: number) => found.find((connection) => connection.remotePort === remotePort);
      expect(found).toHaveLength(2);
      expect(ends(port)).toMatchObject({ ...loopback, direction: 'active', owner: { pid: process.pid } });
      expect(ends(client.localPort ?? 0)).toMatchObject({
        ...loopback,
        direction: 'passive',
        owner: { pid: process.pid },
      });
    } finally {
      accepted.destroy();
      client.destroy();
      server.close();
    }
  });
});

test('two snapshots are joined, the later of one connection being right', () => {
  const connection = (remotePort: number, pid: number): ExistingConnection => ({
    netns: 1,
    local: '0a000001',
    localPort: 443,
    remote: '0a000002',
    remotePort,
    direction: 'passive',
    owner: taskOf(pid, 'nginx'),
  });
  const joined = joinSnapshots(
    [connection(1, 10), connection(2, 10)],
    [connection(2, 20), connection(3, 20)],
  );
  expect(joined.map(({ remotePort, owner }) => [remotePort, owner?.pid])).toEqual([
    [1, 10],
    [2, 20],
    [3, 20],
  ]);
});
