/** Turns the records of retransmitted segments into events, whichever probe tells of them, and counts them by peer. */
import { filter } from '../ledger/booking.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { ABSENT, type TcpRecord } from '../source/decode/record.ts';
import type { Task } from '../source/host/tasks.ts';
import type { Connection } from './connection/connection.ts';
import type { Tracker } from './connection/tracker.ts';
import type { EventDraft } from './draft.ts';
import type { Gate } from './gate.ts';
import { type RetransmitKind, STATE } from './kinds.ts';
import { copyMeasures, copySent } from './measures.ts';
import type { RetransmitSummaries } from './retransmit-summaries.ts';

export interface RetransmitsOptions {
  readonly draft: EventDraft;
  readonly gate: Gate;
  readonly ledger: Ledger;
  readonly tracker: Tracker;
  readonly summaries: RetransmitSummaries;
}

export interface Retransmits {
  /** A record of tcp_retransmit_skb. */
  segment(record: TcpRecord, task: Task): void;
  /** A record of tcp_send_loss_probe. */
  lossProbe(record: TcpRecord, task: Task): void;
  /** A record of tcp_retransmit_synack. */
  synAck(record: TcpRecord, task: Task): void;
}

/**
 * What `__tcp_retransmit_skb` (net/ipv4/tcp_output.c) returns when it gave up before it counted the segment in
 * TcpRetransSegs: EBUSY, EAGAIN, ENOMEM, EINVAL, EHOSTUNREACH. Kernels before 6.17 do not tell of these at all.
 */
const NOT_TRANSMITTED: ReadonlySet<number> = new Set([-16, -11, -12, -22, -113]);

/** TCP_CA_Recovery and TCP_CA_Loss of `enum tcp_ca_state` (include/uapi/linux/tcp.h). */
const CONGESTION_RECOVERY = 3;
const CONGESTION_LOSS = 4;

/**
 * Why a segment is sent again. By then, tcp_retransmit_timer() has put the connection into Loss (`tcp_enter_loss`),
 * where it stays until all losses are repaired; a fast retransmit comes in Recovery.
 */
function retransmitKind({ congestionState, timeouts }: TcpRecord, state: number): RetransmitKind {
  if (state === STATE.SYN_SENT) return 'syn';
  if (congestionState === CONGESTION_LOSS) return 'rto';
  if (congestionState === CONGESTION_RECOVERY) return 'fast';
  return timeouts > 0 ? 'rto' : 'unknown';
}

export function createRetransmits(options: RetransmitsOptions): Retransmits {
  const { draft, gate, ledger, tracker, summaries } = options;

  function pass(connection: Connection, record: TcpRecord, task: Task, state: number): void {
    gate.follow(connection, record);
    connection.retransmits++;
    draft.state = state;
    draft.sequence = record.sequence;
    draft.segmentBytes = record.segmentBytes;
    copySent(draft, record);
    copyMeasures(draft, record);
    const emitted = gate.pass('tcp_retransmit', connection, record.time, record.cpu, task);
    if (gate.exclusionOf(connection) === null) {
      summaries.add(connection, record.cpu, draft.retransmitKind, emitted);
    }
  }

  return {
    segment(record, task) {
      const connection = tracker.connectionOf(record, record.socket, 'unknown');
      if (NOT_TRANSMITTED.has(record.error)) return filter(ledger, 'not_transmitted');
      const state = record.newState === ABSENT ? connection.state : record.newState;
      draft.retransmitKind = retransmitKind(record, state);
      pass(connection, record, task, state);
    },
    lossProbe(record, task) {
      const connection = tracker.connectionOf(record, record.socket, 'unknown');
      if (record.newData === 1) return filter(ledger, 'new_data');
      draft.retransmitKind = 'tlp';
      pass(connection, record, task, record.newState);
    },
    synAck(record, task) {
      const connection = tracker.connectionOfSynAck(record);
      draft.retransmitKind = 'synack';
      // A request has no state of its own.
      pass(connection, record, task, connection.state === 0 ? STATE.SYN_RECV : connection.state);
    },
  };
}
