/** Bytes of kernel records made by hand, after the formats of test/fixtures/formats. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEventFormat } from '../../../../src/source/decode/format.ts';
import { compileReader, type RecordReader } from '../../../../src/source/decode/reader.ts';
import { createRecord, type TcpRecord } from '../../../../src/source/decode/record.ts';
import type { ProbeName } from '../../../../src/source/probes.ts';

export const FORMATS = join(import.meta.dirname, '../../../fixtures/formats');
export const FILES: Partial<Record<ProbeName, string>> = {
  tcp_set_state: 'sock.inet_sock_set_state.format',
  tcp_retransmit_skb: 'tcp.tcp_retransmit_skb.format',
  tcp_retransmit_synack: 'tcp.tcp_retransmit_synack.format',
  tcp_send_reset: 'tcp.tcp_send_reset.format',
  tcp_receive_reset: 'tcp.tcp_receive_reset.format',
};

export function readerOf(
  kernel: string,
  probe: ProbeName,
  edit = (text: string): string => text,
): RecordReader {
  const format = parseEventFormat(edit(readFileSync(join(FORMATS, kernel, FILES[probe] ?? ''), 'utf8')));
  if (format === null) throw new Error(`the format of ${probe} is not understood`);
  const compiled = compileReader(probe, format);
  if (!compiled.ok) throw new Error(compiled.problem);
  return compiled.value;
}

export const IPV4_LOCAL = [192, 0, 2, 7];
export const IPV4_REMOTE = [198, 51, 100, 200];
export const IPV6_LOCAL = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
export const IPV6_REMOTE = [0x20, 1, 0xd, 0xb8, 0xff, 0xfe, 0, 0, 0, 0, 0, 0, 0xab, 0xcd, 0, 2];
export const ANY6 = Array.from({ length: 16 }, () => 0);
export const mapped = (ipv4: readonly number[]) => [...ANY6.slice(0, 10), 0xff, 0xff, ...ipv4];

export const u16 = (value: number) => [value & 0xff, value >> 8];
export const u32 = (value: number) => [
  value & 0xff,
  (value >> 8) & 0xff,
  (value >> 16) & 0xff,
  (value >>> 24) & 0xff,
];
export const u64 = (value: bigint) => [...u32(Number(value & 0xffff_ffffn)), ...u32(Number(value >> 32n))];
/** type, flags, preempt count, pid */
export const common = (flags = 0, pid = 4321) => [...u16(7), flags, 0, ...u32(pid)];
export const SOCKET = 0xffff_8a1b_2c3d_4e5fn;
/** The lower 48 bits of it. */
export const SOCKET_NUMBER = 0x8a1b_2c3d_4e5f;

type Addresses = Readonly<Record<'local4' | 'remote4' | 'local6' | 'remote6', readonly number[]>>;
export const IPV4: Addresses = {
  local4: IPV4_LOCAL,
  remote4: IPV4_REMOTE,
  local6: mapped(IPV4_LOCAL),
  remote6: mapped(IPV4_REMOTE),
};
export const IPV6: Addresses = {
  local4: [0, 0, 0, 0],
  remote4: [0, 0, 0, 0],
  local6: IPV6_LOCAL,
  remote6: IPV6_REMOTE,
};

export const tail = ({ local4, remote4, local6, remote6 }: Addresses) => [
  ...local4,
  ...remote4,
  ...local6,
  ...remote6,
];

/** struct sockaddr_in and sockaddr_in6 (include/uapi/linux/in.h, in6.h), both in 28 bytes. */
export const sockaddr4 = (port: number, address: readonly number[]) => [
  ...u16(2),
  port >> 8,
  port & 0xff,
  ...address,
  ...Array.from({ length: 20 }, () => 0),
];
export const sockaddr6 = (port: number, address: readonly number[]) => [
  ...u16(10),
  port >> 8,
  port & 0xff,
  ...u32(0x12345),
  ...address,
  ...u32(3),
];

/** Reads a record that stands in the middle of others. */
export function read(reader: RecordReader, bytes: readonly number[], length = bytes.length) {
  const at = 24;
  const page = Buffer.alloc(at + bytes.length + 24, 0x99);
  Buffer.from(bytes).copy(page, at);
  const record = createRecord();
  const ok = reader(record, page, at, length);
  return { ok, record, ...addresses(record) };
}

export function addresses({ bytes, localAddress, remoteAddress, addressLength }: TcpRecord) {
  return {
    local: [...bytes.subarray(localAddress, localAddress + addressLength)],
    remote: [...bytes.subarray(remoteAddress, remoteAddress + addressLength)],
  };
}

export const setState = (
  family: number,
  addressBytes: Addresses,
  [oldState, newState] = [2, 1],
  flags = 0,
) => [
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
