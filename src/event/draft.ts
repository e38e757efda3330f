/** An event on its way from the normalizer to the serializer: numbers and references, no text. */
import { ABSENT } from '../source/decode/record.ts';
import { type Task, UNKNOWN_TASK } from '../source/host/tasks.ts';
import { type Connection, createConnection } from './connection/connection.ts';
import { createPeerSummary, type PeerSummary } from './connection/peer-summary.ts';
import { type HostStatus, NO_STATUS } from './host-status.ts';
import type { EventKind, RetransmitKind } from './kinds.ts';

/** The null of a draft's number. Every number that may be null is never negative. */
export const UNKNOWN = -1;

/** One object is filled again and again; it holds for the time of one call. */
export interface EventDraft {
  kind: EventKind;
  /** Trace time, ns. */
  time: number;
  cpu: number;
  /** Counts the events of one CPU in one session, from 0. */
  ordinal: number;
  task: Task;
  isOwner: boolean;
  /** Of a single event. */
  connection: Connection;
  /** Of a summary. */
  summary: PeerSummary;
  intervalUs: number;
  /** Of a host_status. */
  status: HostStatus;
  /** By include/net/tcp_states.h; 0 is null. `state` is that of retransmits and resets. */
  oldState: number;
  newState: number;
  state: number;
  /** Of a state, or of a life. */
  durationUs: number;
  latencyUs: number;
  retransmitKind: RetransmitKind;
  resetSent: boolean;
  retransmits: number;
  /** Of a retransmitted segment. */
  sequence: number;
  segmentBytes: number;
  /** Of a retransmit, so far; of a life, all. */
  bytesSent: number;
  segmentsSent: number;
  /** Of a life. */
  bytesReceived: number;
  segmentsReceived: number;
  /** Of a retransmit and of a life: the connection at that moment. */
  srttUs: number;
  rttvarUs: number;
  congestionWindow: number;
  slowStartThreshold: number;
  totalRetransmits: number;
}

/** An empty draft: nothing is known yet. */
export function createDraft(): EventDraft {
  return {
    kind: 'tcp_state',
    time: 0,
    cpu: 0,
    ordinal: 0,
    task: UNKNOWN_TASK,
    isOwner: false,
    connection: createConnection(0, '', 'unknown'),
    summary: createPeerSummary(null, ABSENT, 0),
    intervalUs: 0,
    status: NO_STATUS,
    oldState: 0,
    newState: 0,
    state: 0,
    durationUs: UNKNOWN,
    latencyUs: UNKNOWN,
    retransmitKind: 'unknown',
    resetSent: false,
    retransmits: UNKNOWN,
    sequence: UNKNOWN,
    segmentBytes: UNKNOWN,
    bytesSent: UNKNOWN,
    segmentsSent: UNKNOWN,
    bytesReceived: UNKNOWN,
    segmentsReceived: UNKNOWN,
    srttUs: UNKNOWN,
    rttvarUs: UNKNOWN,
    congestionWindow: UNKNOWN,
    slowStartThreshold: UNKNOWN,
    totalRetransmits: UNKNOWN,
  };
}
