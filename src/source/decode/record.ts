/** One decoded kernel record, in one shape for all probes. */
import type { ProbeName } from '../probes.ts';

/** A number that the kernel did not give. */
export const ABSENT = -1;

export const IPPROTO_TCP = 6;

/** The fields that only events of tcp_trace.ko have; ABSENT if the event has no such field. */
export interface ModuleFields {
  /** Inode of the network namespace. */
  netns: number;
  /** First sequence number of a segment that is sent again, and its payload in bytes. */
  sequence: number;
  segmentBytes: number;
  /** `enum tcp_ca_state` (include/uapi/linux/tcp.h). */
  congestionState: number;
  /** Consecutive retransmission timeouts. */
  timeouts: number;
  /** 1 for a loss probe that carries new data, which is no retransmit. */
  newData: number;
  srttUs: number;
  rttvarUs: number;
  /** Segments. */
  congestionWindow: number;
  slowStartThreshold: number;
  totalRetransmits: number;
  /** Of a connection that ends, or so far, when a segment is sent again (API 2). SYN and FIN count as one byte each. */
  bytesAcknowledged: number;
  segmentsSent: number;
  /** Of a connection that ends. */
  bytesReceived: number;
  segmentsReceived: number;
}

/**
 * A kernel record. The same object is filled again for each record: copy what has to stay. Addresses stay in `bytes`;
 * the offsets point at 4 or 16 bytes in network order.
 */
export interface TcpRecord extends ModuleFields {
  probe: ProbeName;
  /** Nanoseconds since the trace epoch. */
  time: number;
  cpu: number;
  /** The task on the CPU: the kernel's pid, which identifies a thread. */
  thread: number;
  /** Recorded in the context of that task, not in an interrupt that ran on its CPU. */
  inTask: boolean;
  /** The address of the socket in the kernel without its upper 16 bits; 0 if there is no socket. */
  socket: number;
  /** The address of the connection request, likewise; only SYN-ACKs have one. */
  request: number;
  /** As in include/net/tcp_states.h; ABSENT if the record has no such state. */
  oldState: number;
  newState: number;
  /** IPPROTO_TCP unless the kernel says otherwise. */
  protocol: number;
  /** The kernel's result of a transmission, ≤ 0. */
  error: number;
  bytes: Buffer;
  /** 4 or 16 bytes. */
  addressLength: 4 | 16;
  localAddress: number;
  remoteAddress: number;
  localPort: number;
  remotePort: number;
}

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
