/** Turns kernel records into events: finds the connection of each record, and what the record means for it. */
import { countRecord, derive, filter, release } from '../ledger/booking.ts';
import { IPPROTO_TCP, type TcpRecord } from '../source/decode/record.ts';
import type { ExistingConnection } from '../source/host/sockets.ts';
import type { Task, TaskLookup } from '../source/host/tasks.ts';
import { ownerOf } from './connection/connection.ts';
import { createExistingConnections } from './connection/existing.ts';
import { createTracker } from './connection/tracker.ts';
import { createDraft } from './draft.ts';
import type { Exclusions } from './exclusions.ts';
import { createGate, type GateOptions, STATUS_CPU } from './gate.ts';
import { NO_STATUS, type StatusParts } from './host-status.ts';
import { type SingleEventKind, STATE } from './kinds.ts';
import { createLifecycle } from './lifecycle.ts';
import { createRetransmitSummaries, type SummarySettings } from './retransmit-summaries.ts';
import { createRetransmits } from './retransmits.ts';
import { createStateChanges } from './state-changes.ts';

const NS_PER_SECOND = 1_000_000_000;

export interface NormalizerOptions extends GateOptions {
  readonly tasks: TaskLookup;
  /** The trace session: part of every connection id. */
  readonly session: string;
  readonly maxConnections: number;
  /** Every retransmit is recorded, so the count in a life event can be whole. */
  readonly countsRetransmits: boolean;
  /** The source is the module: it tells of accept(2) itself, and with it of the process that takes the connection. */
  readonly recordsAccepts: boolean;
  readonly summaries: SummarySettings;
  /** All events that follow from one record have been emitted. */
  readonly onSettled: () => void;
}

export interface Normalizer {
  /** The connections that were there when tracing began. */
  existing(connections: readonly ExistingConnection[]): void;
  accept(record: TcpRecord): void;
  /** Records were lost: what is counted of the connections alive now is not whole any more. */
  lost(): void;
  /** Lets go of what has waited too long at this trace time. */
  advance(time: number): void;
  /** Replaces what is wanted, for all later events. */
  choose(events: ReadonlySet<SingleEventKind>, exclusions: Exclusions): void;
  /** Ends the interval of the summaries and goes on with new settings. */
  summarize(settings: SummarySettings): void;
  /** Emits a `host_status`, whatever is wanted, and gives its ordinal. */
  status(parts: StatusParts): number;
  readonly connections: number;
  readonly evicted: number;
}

export function createNormalizer(options: NormalizerOptions): Normalizer {
  const { tasks, ledger, recordsAccepts, countsRetransmits, onSettled } = options;
  const draft = createDraft();
  const gate = createGate(draft, options);
  const lifecycle = createLifecycle({ draft, gate, ledger, countsRetransmits, recordsAccepts });
  let existing = createExistingConnections([], 0);
  const tracker = createTracker({
    session: options.session,
    maxConnections: options.maxConnections,
    takeExisting: (record) => existing.take(record),
    onFlow: gate.decide,
    onRelease(connection, held) {
      release(ledger);
      lifecycle.change(connection, held);
    },
  });
  const summaries = createRetransmitSummaries(options.summaries, (summary, time, intervalNs) => {
    derive(ledger);
    draft.summary = summary;
    draft.intervalUs = Math.round(intervalNs / 1000);
    gate.emit('tcp_retransmit_summary', time, summary.cpu);
  });
  const retransmits = createRetransmits({ draft, gate, ledger, tracker, summaries });
  const acceptState = createStateChanges({ draft, gate, ledger, tracker, lifecycle, recordsAccepts });

  /** The process that takes the connection owns it from now on. */
  function acceptAccepted(record: TcpRecord, task: Task): void {
    // accept(2) may give a connection that has ended already: it will have no further record.
    const connection =
      record.newState === STATE.CLOSE
        ? tracker.connectionOrPassing(record)
        : tracker.connectionOf(record, record.socket, 'passive');
    gate.follow(connection, record);
    if (connection.direction === 'unknown') {
      connection.direction = 'passive';
      connection.json = null;
    }
    connection.owner = ownerOf(task);
    lifecycle.accept(connection, record);
    gate.pass('tcp_accept', connection, record.time, record.cpu, task);
  }

  function acceptReset(record: TcpRecord, task: Task, sent: boolean): void {
    // A reset is often sent for no socket, for a listening one, or for one in TIME_WAIT.
    const connection = sent
      ? tracker.connectionOrPassing(record)
      : tracker.connectionOf(record, record.socket, 'unknown');
    gate.follow(connection, record);
    draft.state = record.newState > 0 ? record.newState : connection.state;
    draft.resetSent = sent;
    gate.pass('tcp_reset', connection, record.time, record.cpu, task);
  }

  function acceptTcp(record: TcpRecord): void {
    const task = tasks(record.thread, record.cpu, record.time);
    switch (record.probe) {
      case 'tcp_set_state':
        return acceptState(record, task);
      case 'tcp_retransmit_skb':
        return retransmits.segment(record, task);
      case 'tcp_send_loss_probe':
        return retransmits.lossProbe(record, task);
      case 'tcp_retransmit_synack':
        return retransmits.synAck(record, task);
      case 'inet_csk_accept':
        return acceptAccepted(record, task);
      case 'tcp_send_reset':
        return acceptReset(record, task, true);
      case 'tcp_receive_reset':
        return acceptReset(record, task, false);
      default:
        record.probe satisfies never;
    }
  }

  return {
    existing(connections) {
      existing = createExistingConnections(connections, options.maxConnections);
    },
    accept(record) {
      summaries.advance(record.time);
      countRecord(ledger);
      if (record.protocol !== IPPROTO_TCP) return filter(ledger, 'not_tcp');
      acceptTcp(record);
      onSettled();
    },
    lost: lifecycle.lost,
    advance(time) {
      while (tracker.expireOne(time)) onSettled();
      tracker.expireRequests(time);
      summaries.advance(time);
    },
    choose: gate.choose,
    summarize: summaries.set,
    status(parts) {
      const { time } = parts.report;
      draft.status = {
        ...parts,
        uptimeSeconds: Math.max(0, Math.floor(time / NS_PER_SECOND)),
        ordinals: gate.emitted(),
        json: null,
      };
      derive(ledger);
      gate.emit('host_status', time, STATUS_CPU);
      draft.status = NO_STATUS;
      onSettled();
      return draft.ordinal;
    },
    get connections() {
      return tracker.connections;
    },
    get evicted() {
      return tracker.evicted;
    },
  };
}
