import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseEventFormat } from '../../../../src/source/decode/format.ts';
import { compileReader, type RecordReader } from '../../../../src/source/decode/reader.ts';
import { ABSENT, createRecord, type TcpRecord } from '../../../../src/source/decode/record.ts';
import type { ProbeName } from '../../../../src/source/probes.ts';
import { readRecordings } from '../recorded.ts';

const FORMATS = join(import.meta.dirname, '../../../fixtures/formats');
const FILES: Partial<Record<ProbeName, string>> = {
  tcp_set_state: 'sock.inet_sock_set_state.format',
  tcp_retransmit_skb: 'tcp.tcp_retransmit_skb.format',
  tcp_retransmit_synack: 'tcp.tcp_retransmit_synack.format',
  tcp_send_reset: 'tcp.tcp_send_reset.format',
  tcp_receive_reset: 'tcp.tcp_receive_reset.format',
};

function readerOf(kernel: string, probe: ProbeName, edit = (text: string): string => text): RecordReader {
  const format = parseEventFormat(edit(readFileSync(join(FORMATS, kernel, FILES[probe] ?? ''), 'utf8')));
  if (format === null) throw new Error(`the format of ${probe} is not understood`);
  const compiled = compileReader(probe, format);
  if (!compiled.ok) throw new Error(compiled.problem);
  return compiled.value;
}

const IPV4_LOCAL = [192, 0, 2, 7];
const IPV4_REMOTE = [198, 51, 100, 200];
const IPV6_LOCAL = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const IPV6_REMOTE = [0x20, 1, 0xd, 0xb8, 0xff, 0xfe, 0, 0, 0, 0, 0, 0, 0xab, 0xcd, 0, 2];
const ANY6 = Array.from({ length: 16 }, () => 0);
const mapped = (ipv4: readonly number[]) => [...ANY6.slice(0, 10), 0xff, 0xff, ...ipv4];

const u16 = (value: number) => [value & 0xff, value >> 8];
const u32 = (value: number) => [
  value & 0xff,
  (value >> 8) & 0xff,
  (value >> 16) & 0xff,
  (value >>> 24) & 0xff,
];
const u64 = (value: bigint) => [...u32(Number(value & 0xffff_ffffn)), ...u32(Number(value >> 32n))];
/** type, flags, preempt count, pid */
const common = (flags = 0, pid = 4321) => [...u16(7), flags, 0, ...u32(pid)];
const SOCKET = 0xffff_8a1b_2c3d_4e5fn;
/** The lower 48 bits of it. */
const SOCKET_NUMBER = 0x8a1b_2c3d_4e5f;

type Addresses = Readonly<Record<'local4' | 'remote4' | 'local6' | 'remote6', readonly number[]>>;
const IPV4: Addresses = {
  local4: IPV4_LOCAL,
  remote4: IPV4_REMOTE,
  local6: mapped(IPV4_LOCAL),
  remote6: mapped(IPV4_REMOTE),
};
const IPV6: Addresses = {
  local4: [0, 0, 0, 0],
  remote4: [0, 0, 0, 0],
  local6: IPV6_LOCAL,
  remote6: IPV6_REMOTE,
};

const tail = ({ local4, remote4, local6, remote6 }: Addresses) => [
  ...local4,
  ...remote4,
  ...local6,
  ...remote6,
];

/** struct sockaddr_in and sockaddr_in6 (include/uapi/linux/in.h, in6.h), both in 28 bytes. */
const sockaddr4 = (port: number, address: readonly number[]) => [
  ...u16(2),
  port >> 8,
  port & 0xff,
  ...address,
  ...Array.from({ length: 20 }, () => 0),
];
const sockaddr6 = (port: number, address: readonly number[]) => [
  ...u16(10),
  port >> 8,
  port & 0xff,
  ...u32(0x12345),
  ...address,
  ...u32(3),
];

/** Reads a record that stands in the middle of others. */
function read(reader: RecordReader, bytes: readonly number[], length = bytes.length) {
  const at = 24;
  const page = Buffer.alloc(at + bytes.length + 24, 0x99);
  Buffer.from(bytes).copy(page, at);
  const record = createRecord();
  const ok = reader(record, page, at, length);
  return { ok, record, ...addresses(record) };
}

function addresses({ bytes, localAddress, remoteAddress, addressLength }: TcpRecord) {
  return {
    local: [...bytes.subarray(localAddress, localAddress + addressLength)],
    remote: [...bytes.subarray(remoteAddress, remoteAddress + addressLength)],
  };
}

const setState = (family: number, addressBytes: Addresses, [oldState, newState] = [2, 1], flags = 0) => [
  ...common(flags),
  ...u64(SOCKET),
  ...u32(oldState ?? 0),
  ...u32(newState ?? 0),
  ...u16(40_000),
  ...u16(443),
  ...u16(family),
  ...u16(6),
  ...tail(addressBytes),
];

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
    expect(read(reader, setState(2, IPV4, [10, 12])).record).toMatchObject({ oldState: 10, newState: 12 });
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

describe('a reset', () => {
  const sent = (local: readonly number[], remote: readonly number[], socket = SOCKET, state = 1) => [
    ...common(),
    ...u64(0n),
    ...u64(socket),
    ...u32(state),
    ...u32(4),
    ...local,
    ...remote,
  ];
  const reader = readerOf('6.18', 'tcp_send_reset');

  it('has its addresses in a sockaddr, ports in network order', () => {
    const { ok, record, local, remote } = read(
      reader,
      sent(sockaddr4(443, IPV4_LOCAL), sockaddr4(40_000, IPV4_REMOTE)),
    );
    expect(ok).toBe(true);
    expect(record).toMatchObject({ addressLength: 4, localPort: 443, remotePort: 40_000, newState: 1 });
    expect([local, remote]).toEqual([IPV4_LOCAL, IPV4_REMOTE]);
  });

  it('the same over IPv6, and mapped', () => {
    const six = read(reader, sent(sockaddr6(443, IPV6_LOCAL), sockaddr6(40_000, IPV6_REMOTE)));
    expect(six.ok).toBe(true);
    expect(six.record).toMatchObject({ addressLength: 16, localPort: 443, remotePort: 40_000 });
    expect([six.local, six.remote]).toEqual([IPV6_LOCAL, IPV6_REMOTE]);
    const four = read(
      reader,
      sent(sockaddr6(443, mapped(IPV4_LOCAL)), sockaddr6(40_000, mapped(IPV4_REMOTE))),
    );
    expect([four.local, four.remote]).toEqual([IPV4_LOCAL, IPV4_REMOTE]);
  });

  it('that no socket took part in has none, and no state', () => {
    const bytes = sent(sockaddr4(81, IPV4_LOCAL), sockaddr4(40_000, IPV4_REMOTE), 0n, 0);
    const { ok, record } = read(reader, bytes);
    expect([ok, record.socket, record.newState]).toEqual([true, 0, 0]);
  });

  it('without addresses is malformed: the kernel leaves them zero where it knows none', () => {
    expect(read(reader, sent(ANY6.concat(ANY6.slice(0, 12)), ANY6.concat(ANY6.slice(0, 12)))).ok).toBe(false);
  });

  it('of 6.1 has them in fields', () => {
    const bytes = [
      ...common(),
      ...u64(0n),
      ...u64(SOCKET),
      ...u32(4),
      ...u16(443),
      ...u16(40_000),
      ...u16(2),
      ...tail(IPV4),
    ];
    const { ok, record, local } = read(readerOf('6.1', 'tcp_send_reset'), bytes);
    expect([ok, record.localPort, record.newState]).toEqual([true, 443, 4]);
    expect(local).toEqual(IPV4_LOCAL);
  });

  it('that was received has no skb before its socket', () => {
    const bytes = [...common(), ...u64(SOCKET), ...u16(40_000), ...u16(443), ...u16(2), ...tail(IPV4)];
    const cookie = [...Array.from({ length: (8 - (bytes.length % 8)) % 8 }, () => 0), ...u64(99n)];
    const { ok, record, remote } = read(readerOf('6.1', 'tcp_receive_reset'), [...bytes, ...cookie]);
    expect(ok).toBe(true);
    expect(record).toMatchObject({ socket: SOCKET_NUMBER, newState: ABSENT, remotePort: 443 });
    expect(remote).toEqual(IPV4_REMOTE);
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

describe('an event of tcp_trace.ko', () => {
  const recorded = readRecordings().find(({ name }) => name === 'module-6.1.ktcrec');
  const formatOf = (probe: ProbeName) => {
    const text = recorded?.events.find((event) => event.probe === probe)?.format ?? '';
    const format = parseEventFormat(text);
    if (format === null) throw new Error(`the recording has no format of ${probe}`);
    return format;
  };

  /** A record of a probe with some of its fields set, by the places that the format names. */
  function readFields(probe: ProbeName, values: Readonly<Record<string, bigint>>): TcpRecord {
    const format = formatOf(probe);
    const bytes = Buffer.alloc(256);
    bytes.writeUInt16LE(2, format.fields.get('family')?.offset ?? 0);
    for (const [name, value] of Object.entries(values)) {
      const field = format.fields.get(name);
      if (field === undefined) throw new Error(`${probe} has no field ${name}`);
      for (let index = 0; index < field.size; index++)
        bytes[field.offset + index] = Number((value >> BigInt(8 * index)) & 0xffn);
    }
    const compiled = compileReader(probe, format);
    if (!compiled.ok) throw new Error(compiled.problem);
    const record = createRecord();
    expect(compiled.value(record, bytes, 0, bytes.length)).toBe(true);
    return record;
  }

  const measures = {
    srtt_us: 11n,
    rttvar_us: 12n,
    snd_cwnd: 13n,
    snd_ssthresh: 0x7fff_ffffn,
    total_retrans: 15n,
  };
  const read = {
    srttUs: 11,
    rttvarUs: 12,
    congestionWindow: 13,
    slowStartThreshold: 0x7fff_ffff,
    totalRetransmits: 15,
  };

  it('has what a connection that ends has carried', () => {
    const totals = {
      bytes_acked: 2n ** 40n + 1n,
      bytes_received: 2n ** 33n,
      segs_in: 16n,
      segs_out: 0xffff_ffffn,
    };
    const values = { netns: 0xf000_0000n, oldstate: 1n, newstate: 7n, ...totals, ...measures };
    expect(readFields('tcp_set_state', values)).toMatchObject({
      netns: 0xf000_0000,
      oldState: 1,
      newState: 7,
      protocol: 6,
      bytesAcknowledged: 2 ** 40 + 1,
      bytesReceived: 2 ** 33,
      segmentsReceived: 16,
      segmentsSent: 0xffff_ffff,
      ...read,
    });
  });

  it('has the segment that is sent again, and why', () => {
    const segment = { state: 1n, seq: 0xffff_fff0n, len: 1448n, ca_state: 4n, retransmits: 2n };
    expect(readFields('tcp_retransmit_skb', { ...segment, ...measures })).toMatchObject({
      newState: 1,
      sequence: 0xffff_fff0,
      segmentBytes: 1448,
      congestionState: 4,
      timeouts: 2,
      newData: ABSENT,
      ...read,
    });
    const probe = { state: 8n, new_data: 1n, seq: 5n, len: 6n };
    expect(readFields('tcp_send_loss_probe', { ...probe, ...measures })).toMatchObject({
      newState: 8,
      newData: 1,
      sequence: 5,
      segmentBytes: 6,
      congestionState: ABSENT,
      ...read,
    });
  });

  it('says of the others what they have, and nothing of what they have not', () => {
    expect(readFields('inet_csk_accept', { state: 1n, netns: 7n })).toMatchObject({
      newState: 1,
      netns: 7,
      congestionWindow: ABSENT,
      bytesReceived: ABSENT,
    });
    expect(readFields('tcp_send_reset', { state: 0n })).toMatchObject({ newState: 0, socket: 0 });
    expect(readFields('tcp_retransmit_synack', { req: 0xffff_8a1b_2c3d_4e5fn })).toMatchObject({
      request: 0x8a1b_2c3d_4e5f,
      newState: ABSENT,
    });
  });
});
