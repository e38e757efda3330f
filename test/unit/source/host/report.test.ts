/** What the host says of itself, from files of /proc of old and new kernels, and from this host. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { unicastAddresses } from '../../../../src/source/host/addresses.ts';
import { parseCounters } from '../../../../src/source/host/counters.ts';
import { readInterfaces } from '../../../../src/source/host/interfaces.ts';
import { createHostReporter } from '../../../../src/source/host/report.ts';

const FIXTURES = join(import.meta.dirname, '../../../fixtures/proc');
const directory = mkdtempSync(join(tmpdir(), 'ktc-host-'));
afterAll(() => rmSync(directory, { recursive: true }));

const countersOf = (kernel: string) => ({
  ...parseCounters(readFileSync(join(FIXTURES, kernel, 'snmp'), 'latin1')),
  ...parseCounters(readFileSync(join(FIXTURES, kernel, 'netstat'), 'latin1')),
});

describe('the counters', () => {
  test('of 3.10 have the values of their own columns, and none that this kernel has not got', () => {
    const counters = countersOf('3.10');
    expect(counters).toMatchObject({
      'Ip.ReasmReqds': 113,
      'Ip.ReasmFails': 115,
      'Tcp.ActiveOpens': 204,
      'Tcp.OutSegs': 18_446_744_073,
      'Tcp.RetransSegs': 211,
      'TcpExt.ListenOverflows': 1019,
      'TcpExt.TCPLossProbes': 1048,
      'TcpExt.TCPRetransFail': 1082,
      'TcpExt.TCPSynRetrans': 1101,
    });
    for (const later of ['TcpExt.TCPRcvQDrop', 'TcpExt.TCPZeroWindowDrop'])
      expect(counters).not.toHaveProperty([later]);
    expect(Object.keys(counters)).toHaveLength(40);
  });

  test('of 6.18 are there too, and more of them', () => {
    const counters = countersOf('6.18');
    expect(counters).toMatchObject({
      'Tcp.ActiveOpens': 1_626_014,
      'Tcp.RetransSegs': 350,
      'TcpExt.TCPLossProbes': 116,
      'TcpExt.TCPOFOQueue': 18,
      'TcpExt.TCPRcvQDrop': 0,
    });
    expect(Object.keys(counters)).toHaveLength(42);
  });

  test.each([
    ['nothing', ''],
    ['names without values', 'Tcp: OutSegs\n'],
    ['fewer values than names', 'Tcp: InErrs OutSegs\nTcp: -1\n'],
    ['a number that no double holds', 'Tcp: OutSegs\nTcp: 18446744073709551615\n'],
  ])('are absent where the file has %s', (_, text) => {
    expect(parseCounters(text)).toEqual({});
  });
});

describe('the addresses', () => {
  test('are all by which others know the host, virtual ones on lo among them, each once', () => {
    const addresses = (...all: string[]) => all.map((address) => ({ address }));
    expect(
      unicastAddresses({
        lo: addresses('127.0.0.1', '127.8.8.8', '::1', '203.0.113.9'),
        eth0: addresses('10.1.2.3', '10.1.2.4', 'fe80::1', 'FEBF::1', '2001:DB8::3', 'fd00::1'),
        'eth0.7': addresses('10.1.2.4', 'fec0::1'),
      }),
    ).toEqual(['203.0.113.9', '10.1.2.3', '10.1.2.4', '2001:db8::3', 'fd00::1', 'fec0::1']);
  });

  test('are 512 at most', () => {
    const many = Array.from({ length: 5000 }, (_, index) => ({
      address: `10.0.${index >> 8}.${index & 255}`,
    }));
    expect(unicastAddresses({ dummy0: many })).toHaveLength(512);
  });
});

/** A /sys/class/net with these interfaces and their files. */
function makeSysfs(
  name: string,
  interfaces: Readonly<Record<string, Readonly<Record<string, string>>>>,
): string {
  const sysfs = join(directory, name);
  for (const [device, files] of Object.entries(interfaces)) {
    mkdirSync(join(sysfs, device, 'statistics'), { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(sysfs, device, file), text);
  }
  return sysfs;
}

describe('the interfaces', () => {
  const devices = join(FIXTURES, '3.10/dev');
  const eth0 = {
    rx_bytes: 1_234_567_890_123,
    rx_packets: 9_876_543,
    rx_errors: 7,
    rx_dropped: 3,
    tx_bytes: 987_654_321,
    tx_packets: 8_765_432,
    tx_errors: 2,
    tx_dropped: 4,
  };
  const crc = { 'statistics/rx_crc_errors': '5\n', 'statistics/rx_missed_errors': '1\n' };

  test('have what /proc/net/dev says, without lo', () => {
    expect(readInterfaces(devices, join(directory, 'none'))).toEqual({
      eth0,
      'bond0.7': expect.objectContaining({ rx_bytes: 100, rx_errors: 0, tx_bytes: 200, tx_packets: 2 }),
    });
  });

  test('have what only sysfs says, as far as a driver tells it', () => {
    const sysfs = makeSysfs('same', { lo: {}, eth0: crc, 'bond0.7': {}, bonding_masters: {} });
    const interfaces = readInterfaces(devices, sysfs);
    expect(interfaces['eth0']).toEqual({ ...eth0, rx_crc_errors: 5, rx_missed_errors: 1 });
    expect(interfaces['bond0.7']).not.toHaveProperty('rx_crc_errors');
  });

  test('have nothing of a sysfs that shows another namespace', () => {
    const sysfs = makeSysfs('other', { lo: {}, eth0: crc, wlan0: {} });
    expect(readInterfaces(devices, sysfs)['eth0']).toEqual(eth0);
  });

  test.each([
    ['eth\u2003a', 'eth\ufffda'],
    ['\u00a0', '\ufffd'],
    ['-|x', '-|x'],
    ['__proto__', '__proto__'],
    ['1', '1'],
    ['a"\\b', 'a"\\b'],
    ['\u0663\u0664', '\u0663\u0664'],
  ])('have the whole name, whatever its characters: %j', (name, published) => {
    const file = join(directory, 'odd');
    const row = (word: string, first: number) => `${word}: ${first} ${'0 '.repeat(15)}`;
    writeFileSync(file, ['Inter-|  Receive', ` face |bytes`, row(name, 7), row('  eth1', 8)].join('\n'));
    const interfaces = readInterfaces(file, join(directory, 'none'));
    expect(new Set(Object.keys(interfaces))).toEqual(new Set([published, 'eth1']));
    expect(Object.entries(interfaces).find(([key]) => key === published)?.[1]).toMatchObject({ rx_bytes: 7 });
  });

  test('are 128 at most, those of hardware first', () => {
    const names = Array.from({ length: 500 }, (_, index) => `veth${index}`);
    const file = join(directory, 'dev');
    writeFileSync(file, [...names, 'eth9'].map((name) => `${name}: ${'1 '.repeat(16)}`).join('\n'));
    const sysfs = makeSysfs('many', { eth9: { device: '' } });
    const kept = Object.keys(readInterfaces(file, sysfs));
    expect(kept).toHaveLength(128);
    expect(kept.slice(0, 3)).toEqual(['eth9', 'veth0', 'veth1']);
  });
});

test('the report of this host has all parts, and needs nothing that could fail', () => {
  const problems: string[] = [];
  const report = createHostReporter((problem) => problems.push(problem)).read(7);
  expect(problems).toEqual([]);
  expect(report.time).toBe(7);
  expect(report.netns).toBeGreaterThan(0);
  expect(report.counters['Tcp.OutSegs']).toBeGreaterThanOrEqual(0);
  expect(Object.keys(report.interfaces)).not.toContain('lo');
});
