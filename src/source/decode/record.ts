/** One decoded kernel record, and how to read it out of a page by the kernel's own field offsets. */
import type { ProbeName } from '../probes.ts';
import type { EventFormat, FieldFormat } from './format.ts';

export const FAMILY_INET = 2;
export const FAMILY_INET6 = 10;

/** A number the kernel did not give. */
export const ABSENT = -1;

/**
 * A kernel record in one shape for all probes. The same object is filled again and again: whoever wants to
 * keep something copies it. Addresses stay in `bytes`; offsets point at 4 or 16 bytes in network order.
 */
export interface TcpRecord {
  probe: ProbeName;
  /** Nanoseconds since the trace epoch. */
  time: number;
  cpu: number;
  /** The task on the CPU: the kernel's pid, which is a thread's. */
  thread: number;
  /** Recorded in the task's own context, not in an interrupt that borrowed the CPU from it. */
  inTask: boolean;
  /** The socket's address in the kernel, its upper 16 bits left out; 0 is no socket. */
  socket: number;
  /** The connection request's, for SYN-ACKs. */
  request: number;
  /** By include/net/tcp_states.h; ABSENT where the record has none. */
  oldState: number;
  newState: number;
  /** IPPROTO_TCP unless the kernel says otherwise. */
  protocol: number;
  /** The kernel's result of a transmission, ≤ 0. */
  error: number;
  /** From here on: what only tcp_trace.ko tells, ABSENT otherwise. Inode of the network namespace. */
  netns: number;
  /** Of a segment that is sent again: its first sequence number and its payload in bytes. */
  sequence: number;
  segmentBytes: number;
  /** `enum tcp_ca_state` (include/uapi/linux/tcp.h). */
  congestionState: number;
  /** Retransmission timeouts in a row. */
  timeouts: number;
  /** 1 for a loss probe that carries new data and is no retransmit. */
  newData: number;
  srttUs: number;
  rttvarUs: number;
  /** Segments. */
  congestionWindow: number;
  slowStartThreshold: number;
  totalRetransmits: number;
  /** Of a connection that ends; SYN and FIN count one byte each, as in `ss`. */
  bytesAcknowledged: number;
  bytesReceived: number;
  segmentsReceived: number;
  segmentsSent: number;
  bytes: Buffer;
  /** 4 or 16 bytes. */
  addressLength: 4 | 16;
  localAddress: number;
  remoteAddress: number;
  localPort: number;
  remotePort: number;
}

export const IPPROTO_TCP = 6;

export function createRecord(): TcpRecord {
  return {
    probe: 'tcp_set_state',
    time: 0,
    cpu: 0,
    thread: 0,
    inTask: false,
    socket: 0,
    request: 0,
    oldState: ABSENT,
    newState: ABSENT,
    protocol: IPPROTO_TCP,
    error: 0,
    netns: ABSENT,
    sequence: ABSENT,
    segmentBytes: ABSENT,
    congestionState: ABSENT,
    timeouts: ABSENT,
    newData: ABSENT,
    srttUs: ABSENT,
    rttvarUs: ABSENT,
    congestionWindow: ABSENT,
    slowStartThreshold: ABSENT,
    totalRetransmits: ABSENT,
    bytesAcknowledged: ABSENT,
    bytesReceived: ABSENT,
    segmentsReceived: ABSENT,
    segmentsSent: ABSENT,
    bytes: Buffer.alloc(0),
    addressLength: 4,
    localAddress: 0,
    remoteAddress: 0,
    localPort: 0,
    remotePort: 0,
  };
}

/** Reads one probe's record at `at` into `record`; false when the record is malformed. */
export type RecordReader = (record: TcpRecord, bytes: Buffer, at: number, length: number) => boolean;

/** HARDIRQ, SOFTIRQ and NMI of `enum trace_flag_type` (include/linux/trace_events.h). */
const INTERRUPT_FLAGS = 0x08 | 0x10 | 0x40;

/** Upper half of ::ffff:0:0/96. */
function isMapped(bytes: Buffer, at: number): boolean {
  for (let index = 0; index < 10; index++) if (bytes[at + index] !== 0) return false;
  return bytes[at + 10] === 0xff && bytes[at + 11] === 0xff;
}

function offsetOf(format: EventFormat, name: string, size: number): number {
  const field = format.fields.get(name);
  return field !== undefined && field.size === size ? field.offset : ABSENT;
}

/** TCP_NEW_SYN_RECV is the last (include/net/tcp_states.h); 0 comes with resets that no socket took part in. */
function isState(state: number): boolean {
  return state >= ABSENT && state <= 12;
}

function readPointer(bytes: Buffer, at: number): number {
  // 48 bits tell kernel pointers apart and are exact in a double.
  return at === ABSENT ? 0 : bytes.readUIntLE(at, 6);
}

function required(format: EventFormat, names: readonly string[]): string | null {
  const missing = names.filter((name) => !format.fields.has(name));
  return missing.length === 0
    ? null
    : `event ${format.name} of this kernel has no field ${missing.join(', ')}`;
}

function endOfFields(fields: Iterable<FieldFormat>): number {
  let end = 0;
  for (const field of fields) end = Math.max(end, field.offset + field.size);
  return end;
}

export type CompiledReader =
  | { readonly ok: true; readonly read: RecordReader }
  | { readonly ok: false; readonly problem: string };

/**
 * Builds the reader of one probe from its event's format. Kernels differ in field offsets and in how resets carry
 * their addresses: `saddr[4]` and `sport` (trace/events/tcp.h up to 6.9), or a sockaddr in `saddr[28]` since.
 */
export function compileReader(probe: ProbeName, format: EventFormat): CompiledReader {
  const socketAddresses = format.fields.get('saddr')?.size === 28;
  const problem = required(
    format,
    socketAddresses
      ? ['common_pid', 'common_flags', 'saddr', 'daddr']
      : ['common_pid', 'common_flags', 'sport', 'dport', 'family', 'saddr', 'daddr', 'saddr_v6', 'daddr_v6'],
  );
  if (problem !== null) return { ok: false, problem };

  const minimum = endOfFields(format.fields.values());
  const flagsAt = offsetOf(format, 'common_flags', 1);
  const threadAt = offsetOf(format, 'common_pid', 4);
  const socketAt = offsetOf(format, 'skaddr', 8);
  const requestAt = offsetOf(format, 'req', 8);
  const oldStateAt = offsetOf(format, 'oldstate', 4);
  const newStateAt = Math.max(offsetOf(format, 'newstate', 4), offsetOf(format, 'state', 4));
  const protocolAt = offsetOf(format, 'protocol', 2);
  const errorAt = offsetOf(format, 'err', 4);
  const readDetails = detailReader(format);
  const readAddresses = socketAddresses ? socketAddressReader(format) : fieldAddressReader(format);

  const read: RecordReader = (record, bytes, at, length) => {
    if (length < minimum) return false;
    record.probe = probe;
    record.bytes = bytes;
    record.inTask = ((bytes[at + flagsAt] as number) & INTERRUPT_FLAGS) === 0;
    record.thread = bytes.readInt32LE(at + threadAt);
    record.socket = socketAt === ABSENT ? 0 : readPointer(bytes, at + socketAt);
    record.request = requestAt === ABSENT ? 0 : readPointer(bytes, at + requestAt);
    record.oldState = oldStateAt === ABSENT ? ABSENT : bytes.readInt32LE(at + oldStateAt);
    record.newState = newStateAt === ABSENT ? ABSENT : bytes.readInt32LE(at + newStateAt);
    record.protocol = protocolAt === ABSENT ? IPPROTO_TCP : bytes.readUInt16LE(at + protocolAt);
    record.error = errorAt === ABSENT ? 0 : bytes.readInt32LE(at + errorAt);
    readDetails?.(record, bytes, at);
    return isState(record.oldState) && isState(record.newState) && readAddresses(record, bytes, at);
  };
  return { ok: true, read };
}

function unsigned8(bytes: Buffer, at: number, offset: number): number {
  return offset === ABSENT ? ABSENT : bytes.readUInt8(at + offset);
}

function unsigned32(bytes: Buffer, at: number, offset: number): number {
  return offset === ABSENT ? ABSENT : bytes.readUInt32LE(at + offset);
}

/** Exact up to 2^53, nine petabytes. */
function unsigned64(bytes: Buffer, at: number, offset: number): number {
  if (offset === ABSENT) return ABSENT;
  return bytes.readUInt32LE(at + offset) + bytes.readUInt32LE(at + offset + 4) * 2 ** 32;
}

/**
 * Reads what kmodule/tcp_trace_events.h has beyond the native tracepoints. Null for these, whose records stay as they
 * were made: events of one source are all of one kind.
 */
function detailReader(format: EventFormat): ((record: TcpRecord, bytes: Buffer, at: number) => void) | null {
  // The one field that all of the module's events have.
  if (!format.fields.has('netns')) return null;
  const netnsAt = offsetOf(format, 'netns', 4);
  const sequenceAt = offsetOf(format, 'seq', 4);
  const segmentBytesAt = offsetOf(format, 'len', 4);
  const congestionStateAt = offsetOf(format, 'ca_state', 1);
  const timeoutsAt = offsetOf(format, 'retransmits', 1);
  const newDataAt = offsetOf(format, 'new_data', 1);
  const srttAt = offsetOf(format, 'srtt_us', 4);
  const rttvarAt = offsetOf(format, 'rttvar_us', 4);
  const congestionWindowAt = offsetOf(format, 'snd_cwnd', 4);
  const slowStartThresholdAt = offsetOf(format, 'snd_ssthresh', 4);
  const totalRetransmitsAt = offsetOf(format, 'total_retrans', 4);
  const bytesAcknowledgedAt = offsetOf(format, 'bytes_acked', 8);
  const bytesReceivedAt = offsetOf(format, 'bytes_received', 8);
  const segmentsReceivedAt = offsetOf(format, 'segs_in', 4);
  const segmentsSentAt = offsetOf(format, 'segs_out', 4);
  return (record, bytes, at) => {
    record.netns = unsigned32(bytes, at, netnsAt);
    record.sequence = unsigned32(bytes, at, sequenceAt);
    record.segmentBytes = unsigned32(bytes, at, segmentBytesAt);
    record.congestionState = unsigned8(bytes, at, congestionStateAt);
    record.timeouts = unsigned8(bytes, at, timeoutsAt);
    record.newData = unsigned8(bytes, at, newDataAt);
    record.srttUs = unsigned32(bytes, at, srttAt);
    record.rttvarUs = unsigned32(bytes, at, rttvarAt);
    record.congestionWindow = unsigned32(bytes, at, congestionWindowAt);
    record.slowStartThreshold = unsigned32(bytes, at, slowStartThresholdAt);
    record.totalRetransmits = unsigned32(bytes, at, totalRetransmitsAt);
    record.bytesAcknowledged = unsigned64(bytes, at, bytesAcknowledgedAt);
    record.bytesReceived = unsigned64(bytes, at, bytesReceivedAt);
    record.segmentsReceived = unsigned32(bytes, at, segmentsReceivedAt);
    record.segmentsSent = unsigned32(bytes, at, segmentsSentAt);
  };
}

type AddressReader = (record: TcpRecord, bytes: Buffer, at: number) => boolean;

function useVersion6(record: TcpRecord, bytes: Buffer, local: number, remote: number): void {
  // A mapped peer makes the connection IPv4, whatever the socket; a listener on :: has a peer of all zeros.
  if (isMapped(bytes, remote) || isMapped(bytes, local)) {
    record.addressLength = 4;
    record.localAddress = local + 12;
    record.remoteAddress = remote + 12;
  } else {
    record.addressLength = 16;
    record.localAddress = local;
    record.remoteAddress = remote;
  }
}

function fieldAddressReader(format: EventFormat): AddressReader {
  const at = (name: string): number => format.fields.get(name)?.offset ?? 0;
  const [familyAt, localPortAt, remotePortAt] = [at('family'), at('sport'), at('dport')];
  const [local4, remote4, local6, remote6] = [at('saddr'), at('daddr'), at('saddr_v6'), at('daddr_v6')];
  return (record, bytes, start) => {
    const family = bytes.readUInt16LE(start + familyAt);
    record.localPort = bytes.readUInt16LE(start + localPortAt);
    record.remotePort = bytes.readUInt16LE(start + remotePortAt);
    if (family === FAMILY_INET6) {
      useVersion6(record, bytes, start + local6, start + remote6);
      return true;
    }
    record.addressLength = 4;
    record.localAddress = start + local4;
    record.remoteAddress = start + remote4;
    return family === FAMILY_INET;
  };
}

/** `struct sockaddr_in` and `sockaddr_in6`: family in host order, port in network order, address at 4 or 8. */
function socketAddressReader(format: EventFormat): AddressReader {
  const localAt = format.fields.get('saddr')?.offset ?? 0;
  const remoteAt = format.fields.get('daddr')?.offset ?? 0;
  return (record, bytes, start) => {
    const local = start + localAt;
    const remote = start + remoteAt;
    const family = bytes.readUInt16LE(local);
    record.localPort = bytes.readUInt16BE(local + 2);
    record.remotePort = bytes.readUInt16BE(remote + 2);
    if (family === FAMILY_INET6) {
      useVersion6(record, bytes, local + 8, remote + 8);
      return true;
    }
    record.addressLength = 4;
    record.localAddress = local + 4;
    record.remoteAddress = remote + 4;
    return family === FAMILY_INET;
  };
}
