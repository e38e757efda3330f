import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseEventFormat } from '../../../../src/source/decode/format.ts';
import { compileReader } from '../../../../src/source/decode/reader.ts';
import { ABSENT } from '../../../../src/source/decode/record.ts';
import {
  ANY6,
  common,
  FILES,
  FORMATS,
  IPV4,
  IPV4_LOCAL,
  IPV4_REMOTE,
  IPV6,
  IPV6_LOCAL,
  IPV6_REMOTE,
  mapped,
  read,
  readerOf,
  SOCKET,
  SOCKET_NUMBER,
  setState,
  tail,
  u16,
  u32,
  u64,
} from './record-bytes.ts';

describe('a state change', () => {
  const reader = readerOf('6.18', 'tcp_set_state');

  it('over IPv4', () => {
    const { ok, record, local, remote } = read(reader, setState(2, IPV4));
    expect(ok).toBe(true);
    expect(record).toMatchObject({
      probe: 'tcp_set_state',
      thread: 4321,
      inTask: true,
      socket: SOCKET_NUMBER,
      request: 0,
      oldState: 2,
      newState: 1,
      protocol: 6,
      error: 0,
      addressLength: 4,
      localPort: 40_000,
      remotePort: 443,
    });
    expect([local, remote]).toEqual([IPV4_LOCAL, IPV4_REMOTE]);
  });

  it('over IPv6', () => {
    const { ok, record, local, remote } = read(reader, setState(10, IPV6));
    expect([ok, record.addressLength]).toEqual([true, 16]);
    expect([local, remote]).toEqual([IPV6_LOCAL, IPV6_REMOTE]);
  });

  it('of an IPv6 socket that talks IPv4 is IPv4', () => {
    const { record, local, remote } = read(reader, setState(10, IPV4));
    expect(record.addressLength).toBe(4);
    expect([local, remote]).toEqual([IPV4_LOCAL, IPV4_REMOTE]);
  });

  it('is IPv4 too while one end has no address yet', () => {
    const connecting = read(reader, setState(10, { ...IPV4, local6: ANY6 }));
    expect([connecting.local, connecting.remote]).toEqual([[0, 0, 0, 0], IPV4_REMOTE]);
    const listening = read(reader, setState(10, { ...IPV4, remote6: ANY6 }));
    expect([listening.local, listening.remote]).toEqual([IPV4_LOCAL, [0, 0, 0, 0]]);
  });

  it('of a listener on :: is IPv6', () => {
    const { record } = read(reader, setState(10, { ...IPV6, local6: ANY6, remote6: ANY6 }));
    expect(record.addressLength).toBe(16);
  });

  it('is not taken for IPv4 by addresses that only look mapped', () => {
    for (const at of [0, 9, 10, 11]) {
      const nearly = mapped(IPV4_LOCAL).map((byte, index) => (index === at ? byte ^ 1 : byte));
      const { record } = read(reader, setState(10, { ...IPV6, local6: nearly, remote6: nearly }));
      expect(record.addressLength).toBe(16);
    }
  });

  it('says whether it was made in its task or in an interrupt', () => {
    // IRQS_OFF, NEED_RESCHED and PREEMPT_RESCHED are no interrupts; HARDIRQ, SOFTIRQ and NMI are.
    for (const flags of [0, 0x01, 0x04, 0x20]) {
      expect(read(reader, setState(2, IPV4, [2, 1], flags)).record.inTask).toBe(true);
    }
    for (const flags of [0x08, 0x10, 0x11, 0x18, 0x40]) {
      expect(read(reader, setState(2, IPV4, [2, 1], flags)).record.inTask).toBe(false);
    }
  });

  it('is malformed with a family, a state or a length that cannot be', () => {
    const good = setState(2, IPV4);
    expect(read(reader, good).ok).toBe(true);
    expect(read(reader, setState(1, IPV4)).ok).toBe(false);
    expect(read(reader, setState(2, IPV4, [2, 13])).ok).toBe(false);
    expect(read(reader, setState(2, IPV4, [99, 1])).ok).toBe(false);
    expect(read(reader, setState(2, IPV4, [-2, 1])).ok).toBe(false);
    for (let length = 0; length < good.length; length++) expect(read(reader, good, length).ok).toBe(false);
  });

  it('had its protocol in one byte before 5.6, and is then taken for TCP', () => {
    const old = readerOf('6.1', 'tcp_set_state', (text) =>
      text.replace('field:__u16 protocol;\toffset:30;\tsize:2', 'field:__u8 protocol;\toffset:30;\tsize:1'),
    );
    // What stands behind the one byte has nothing to do with it.
    const protocolAt = 30;
    const bytes = setState(2, IPV4).map((byte, index) => (index === protocolAt + 1 ? 0x99 : byte));
    expect(read(old, bytes).record.protocol).toBe(6);
  });

  it('has another protocol where the kernel says so', () => {
    const IPPROTO_MPTCP = 262;
    const protocolAt = 30;
    const bytes = setState(2, IPV4);
    bytes.splice(protocolAt, 2, ...u16(IPPROTO_MPTCP));
    expect(read(reader, bytes).record.protocol).toBe(IPPROTO_MPTCP);
  });

  it('may be one to the last of the states', () => {
    const { ok, record } = read(reader, setState(2, IPV4, [10, 12]));
    expect(ok).toBe(true);
    expect(record).toMatchObject({ oldState: 10, newState: 12 });
  });

  it('has no socket where the kernel does not tell its address', () => {
    const without = readerOf('6.18', 'tcp_set_state', (text) => text.replace('skaddr;', 'other;'));
    expect(read(without, setState(2, IPV4)).record.socket).toBe(0);
  });
});

describe('a retransmit', () => {
  it.each([
    ['6.1', []],
    ['6.18', u32(-11)],
  ] as const)('of %s', (kernel, error) => {
    const bytes = [
      ...common(0x10),
      ...u64(0n),
      ...u64(SOCKET),
      ...u32(1),
      ...u16(40_000),
      ...u16(443),
      ...u16(2),
      ...tail(IPV4),
      ...(error.length > 0 ? [0, 0] : []),
      ...error,
    ];
    const { ok, record, local, remote } = read(readerOf(kernel, 'tcp_retransmit_skb'), bytes);
    expect(ok).toBe(true);
    expect(record).toMatchObject({
      probe: 'tcp_retransmit_skb',
      inTask: false,
      socket: SOCKET_NUMBER,
      oldState: ABSENT,
      newState: 1,
      localPort: 40_000,
      remotePort: 443,
      error: error.length > 0 ? -11 : 0,
    });
    expect([local, remote]).toEqual([IPV4_LOCAL, IPV4_REMOTE]);
  });

  it('of a SYN-ACK names the listener and the request', () => {
    const bytes = [
      ...common(),
      ...u64(SOCKET),
      ...u64(SOCKET + 256n),
      ...u16(443),
      ...u16(40_000),
      ...u16(10),
      ...tail(IPV6),
    ];
    const { ok, record, local } = read(readerOf('6.12', 'tcp_retransmit_synack'), bytes);
    expect(ok).toBe(true);
    expect(record).toMatchObject({ socket: SOCKET_NUMBER, request: SOCKET_NUMBER + 256, localPort: 443 });
    expect(local).toEqual(IPV6_LOCAL);
  });
});

describe('a format that lacks a field', () => {
  it('is refused by the name of the field', () => {
    const text = readFileSync(join(FORMATS, '6.1', FILES.tcp_set_state ?? ''), 'utf8');
    const format = parseEventFormat(text.replace('sport;', 'source;').replace('family;', 'kind;'));
    expect(format && compileReader('tcp_set_state', format)).toEqual({
      ok: false,
      problem: 'event inet_sock_set_state of this kernel has no field sport, family',
    });
  });

  it.each([
    [
      '6.1',
      'tcp_set_state',
      ['common_pid', 'common_flags', 'saddr', 'daddr', 'saddr_v6', 'daddr_v6', 'dport'],
    ],
    ['6.18', 'tcp_send_reset', ['common_pid', 'common_flags', 'daddr']],
  ] as const)('of kernel %s is refused without any of the fields that %s needs', (kernel, probe, needed) => {
    const text = readFileSync(join(FORMATS, kernel, FILES[probe] ?? ''), 'utf8');
    for (const field of needed) {
      const format = parseEventFormat(text.replace(new RegExp(`\\b${field}(?=[;[])`), 'other'));
      expect(format && compileReader(probe, format)).toMatchObject({
        ok: false,
        problem: expect.stringMatching(new RegExp(`has no field ${field}$`)),
      });
    }
  });
});
