/** Copies what a record tells of its connection at that moment into the draft. */
import type { TcpRecord } from '../source/decode/record.ts';
import { type EventDraft, UNKNOWN } from './draft.ts';

/** TCP_INFINITE_SSTHRESH (include/net/tcp.h): there is no threshold yet. */
const INFINITE_THRESHOLD = 0x7fff_ffff;

/** Round trip, window, threshold and retransmits. */
export function copyMeasures(draft: EventDraft, record: TcpRecord): void {
  const { srttUs, slowStartThreshold } = record;
  // Before the first sample there is no round trip, and its variance is the initial timeout.
  draft.srttUs = srttUs > 0 ? srttUs : UNKNOWN;
  draft.rttvarUs = srttUs > 0 ? record.rttvarUs : UNKNOWN;
  draft.congestionWindow = record.congestionWindow;
  draft.slowStartThreshold = slowStartThreshold < INFINITE_THRESHOLD ? slowStartThreshold : UNKNOWN;
  draft.totalRetransmits = record.totalRetransmits;
}

/** What the connection has sent until the record. */
export function copySent(draft: EventDraft, record: TcpRecord): void {
  draft.bytesSent = record.bytesAcknowledged;
  draft.segmentsSent = record.segmentsSent;
}

/** The measures, and what a connection that ends has carried in its whole life. */
export function copyTotals(draft: EventDraft, record: TcpRecord): void {
  copyMeasures(draft, record);
  copySent(draft, record);
  draft.bytesReceived = record.bytesReceived;
  draft.segmentsReceived = record.segmentsReceived;
}
