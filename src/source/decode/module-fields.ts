/** Reads the fields that the events of tcp_trace.ko have beyond the native tracepoints (kmodule/tcp_trace_events.h). */
import { type EventFormat, offsetOf } from './format.ts';
import { ABSENT, type ModuleFields } from './record.ts';

function readUnsigned8(bytes: Buffer, at: number, offset: number): number {
  return offset === ABSENT ? ABSENT : bytes.readUInt8(at + offset);
}

function readUnsigned32(bytes: Buffer, at: number, offset: number): number {
  return offset === ABSENT ? ABSENT : bytes.readUInt32LE(at + offset);
}

/** Exact up to 2^53, nine petabytes. */
function readUnsigned64(bytes: Buffer, at: number, offset: number): number {
  if (offset === ABSENT) return ABSENT;
  return bytes.readUInt32LE(at + offset) + bytes.readUInt32LE(at + offset + 4) * 2 ** 32;
}

export type ModuleFieldReader = (record: ModuleFields, bytes: Buffer, at: number) => void;

/**
 * Builds the reader of these fields. Null for native tracepoints, whose records keep ABSENT in them: all events of one
 * source come from the module, or none does.
 */
export function createModuleFieldReader(format: EventFormat): ModuleFieldReader | null {
  // The one field that all events of the module have.
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
    record.netns = readUnsigned32(bytes, at, netnsAt);
    record.sequence = readUnsigned32(bytes, at, sequenceAt);
    record.segmentBytes = readUnsigned32(bytes, at, segmentBytesAt);
    record.congestionState = readUnsigned8(bytes, at, congestionStateAt);
    record.timeouts = readUnsigned8(bytes, at, timeoutsAt);
    record.newData = readUnsigned8(bytes, at, newDataAt);
    record.srttUs = readUnsigned32(bytes, at, srttAt);
    record.rttvarUs = readUnsigned32(bytes, at, rttvarAt);
    record.congestionWindow = readUnsigned32(bytes, at, congestionWindowAt);
    record.slowStartThreshold = readUnsigned32(bytes, at, slowStartThresholdAt);
    record.totalRetransmits = readUnsigned32(bytes, at, totalRetransmitsAt);
    record.bytesAcknowledged = readUnsigned64(bytes, at, bytesAcknowledgedAt);
    record.bytesReceived = readUnsigned64(bytes, at, bytesReceivedAt);
    record.segmentsReceived = readUnsigned32(bytes, at, segmentsReceivedAt);
    record.segmentsSent = readUnsigned32(bytes, at, segmentsSentAt);
  };
}
