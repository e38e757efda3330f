/** Turns kernel records into events: what each means, what follows from it, what is not wanted, and the account. */
import {
  derive as countDerived,
  emit as countEmitted,
  countRecord,
  filter,
  hold,
  release,
  suppress,
} from '../ledger/booking.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { FilterReason } from '../ledger/reasons.ts';
import { ABSENT, IPPROTO_TCP, type TcpRecord } from '../source/decode/record.ts';
import type { ExistingConnection } from '../source/host/sockets.ts';
import type { Task, TaskLookup } from '../source/host/tasks.ts';
import type { Connection, HeldRecord } from './connection/connection.ts';
import { createExistingConnections } from './connection/existing.ts';
import { createTracker } from './connection/tracker.ts';
import { createDraft, type EventDraft, UNKNOWN } from './draft.ts';
import { type Exclusions, flowExclusion } from './exclusions.ts';
import type { Limits } from './limits.ts';
import { createRetransmitSummaries, type SummarySettings } from './retransmit-summaries.ts';
import { type EventKind, type RetransmitKind, type SingleEventKind, STATE } from './tcp-event.ts';

export interface NormalizerOptions {
  readonly tasks: TaskLookup;
  readonly session: string;
  readonly maxConnections: number;
  /** Every retransmit is recorded, so the count in a life event can be whole. */
  readonly countsRetransmits: boolean;
  /** The source is the module: it tells of accept(2) itself, and with it of the process that takes the connection. */
  readonly recordsAccepts: boolean;
  /** The connections of the agent's own sinks at this moment. */
  readonly ownSockets: () => readonly OwnSocket[];
  readonly ledger: Ledger;
  readonly events: ReadonlySet<SingleEventKind>;
  readonly exclusions: Exclusions;
  /** Has the last word on each single event. */
  readonly limits: Pick<Limits, 'admits'>;
  readonly summaries: SummarySettings;
  /** Whose connections never make events: the agent's own; null for a replay. */
  readonly ownPid: number | null;
  /** Takes each event; the draft is used again afterwards. */
  readonly emit: (draft: EventDraft) => void;
  /** All that follows from one record has been given. */
  readonly onSettled: () => void;
}

export interface OwnSocket {
  readonly localPort: number;
  readonly remotePort: number;
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
  /** Ends the interval of the summaries and goes on as told. */
  summarize(settings: SummarySettings): void;
  readonly connections: number;
  readonly evicted: number;
}

/** States in which a connection has been established and not yet closed. */
function wasEstablished(state: number): boolean {
  return (
    state === STATE.ESTABLISHED ||
    (state >= STATE.FIN_WAIT1 && state !== STATE.CLOSE && state !== STATE.LISTEN)
  );
}

/** Whole microseconds between two trace times; UNKNOWN where either was not seen. */
function microseconds(from: number, to: number): number {
  const duration = Math.floor((to - from) / 1000);
  return duration >= 0 ? duration : UNKNOWN;
}

/**
 * What `__tcp_retransmit_skb` (net/ipv4/tcp_output.c) returns when it gave up before it counted the segment in
 * TcpRetransSegs: EBUSY, EAGAIN, ENOMEM, EINVAL, EHOSTUNREACH. Kernels before 6.17 do not tell of these at all.
 */
const NOT_TRANSMITTED: ReadonlySet<number> = new Set([-16, -11, -12, -22, -113]);

export function createNormalizer(options: NormalizerOptions): Normalizer {
  const { tasks, ledger, limits, ownPid, emit } = options;
  let { events, exclusions } = options;
  /** A record is being dealt with, which may release others. */
  let isBusy = false;
  let generation = 0;
  let losses = 0;
  const ordinals: number[] = [];
  const draft = createDraft();
  /** The state change at hand, one object for all of them. */
  const change: { -readonly [Field in keyof HeldRecord]: HeldRecord[Field] } = {
    time: 0,
    cpu: 0,
    task: draft.task,
    oldState: 0,
    newState: 0,
  };
  let existing = createExistingConnections([], 0);

  const tracker = createTracker({
    session: options.session,
    maxConnections: options.maxConnections,
    takeExisting: (record) => existing.take(record),
    onFlow: decideExclusion,
    onRelease(connection, held) {
      release(ledger);
      giveStateChange(connection, held);
      if (!isBusy) options.onSettled();
    },
  });

  const summaries = createRetransmitSummaries(options.summaries, (summary, time, intervalNs) => {
    countDerived(ledger);
    draft.summary = summary;
    draft.intervalUs = Math.round(intervalNs / 1000);
    send('tcp_retransmit_summary', time, summary.cpu);
  });

  function decideExclusion(connection: Connection, record: TcpRecord): void {
    connection.exclusion = isOwn(connection, record) ? 'own_traffic' : flowExclusion(exclusions, record);
    connection.exclusionGeneration = generation;
  }

  /** Decides again after a reload. */
  function followExclusions(connection: Connection, record: TcpRecord): void {
    if (connection.exclusionGeneration !== generation) decideExclusion(connection, record);
  }

  /** By who opened it; by its ports where that was not seen, or has been forgotten. */
  function isOwn(connection: Connection, { localPort, remotePort }: TcpRecord): boolean {
    if (ownPid === null || connection.direction === 'passive') return false;
    if (connection.direction === 'active') return connection.owner?.pid === ownPid;
    return options
      .ownSockets()
      .some((socket) => socket.localPort === localPort && socket.remotePort === remotePort);
  }

  /** The ledger's reason to leave out a connection, or null. */
  function exclusionOf({ exclusion, owner }: Connection): FilterReason | null {
    if (exclusion !== null) return exclusion;
    // Whatever merely ran on the CPU has nothing to do with the connection.
    const name = owner?.comm ?? null;
    return name !== null && exclusions.comms.has(name) ? 'excluded_comm' : null;
  }

  /** Hands a single event on, or counts why not and gives false. */
  function give(
    kind: SingleEventKind,
    connection: Connection,
    time: number,
    cpu: number,
    onCpu: Task,
  ): boolean {
    const reason = events.has(kind) ? exclusionOf(connection) : 'event_disabled';
    if (reason !== null) {
      filter(ledger, reason);
      return false;
    }
    if (!limits.admits(kind, time)) {
      suppress(ledger, kind);
      return false;
    }
    draft.connection = connection;
    draft.task = connection.owner ?? onCpu;
    draft.isOwner = connection.owner !== null;
    send(kind, time, cpu);
    return true;
  }

  /** Fills what all events share. */
  function send(kind: EventKind, time: number, cpu: number): void {
    draft.kind = kind;
    draft.time = time;
    draft.cpu = cpu;
    const ordinal = ordinals[cpu] ?? 0;
    ordinals[cpu] = ordinal + 1;
    draft.ordinal = ordinal;
    countEmitted(ledger);
    emit(draft);
  }

  function acceptState(record: TcpRecord, task: Task): void {
    const { oldState, newState } = record;
    // close(2) after shutdown(2) sets the state that the socket has already (net/ipv4/tcp.c, `new_state`).
    if (oldState === newState) return filter(ledger, 'state_unchanged');
    if (oldState === STATE.CLOSE && newState === STATE.SYN_SENT) {
      const connection = tracker.begin(record, 'active');
      connection.lossesBefore = losses;
      if (record.inTask) connection.owner = task;
      // Also where there is a local port: a socket that connects again still has that of its last connection.
      return holdState(connection, record, task);
    }
    if (oldState === STATE.LISTEN && newState === STATE.SYN_RECV) {
      const connection = tracker.begin(record, 'passive');
      connection.lossesBefore = losses;
      if (record.remotePort === 0) return holdState(connection, record, task);
    }
    // tcp_set_state(), where the module listens, is not called when a child is made in SYN_RECV (inet_csk_clone_lock).
    const direction = options.recordsAccepts && oldState === STATE.SYN_RECV ? 'passive' : 'unknown';
    const connection = tracker.connectionOf(record, record.socket, direction);
    followExclusions(connection, record);
    if (newState === STATE.CLOSE) takeTotals(record);
    if (connection.owner === null && record.inTask && isOwnersDoing(newState)) connection.owner = task;
    change.time = record.time;
    change.cpu = record.cpu;
    change.task = task;
    change.oldState = oldState;
    change.newState = newState;
    giveStateChange(connection, change);
  }

  function holdState(connection: Connection, record: TcpRecord, task: Task): void {
    hold(ledger);
    tracker.hold(connection, record, task);
  }

  /** The state event, and the events that follow from the change. */
  function giveStateChange(connection: Connection, change: HeldRecord): void {
    const { time, cpu, task, oldState, newState } = change;
    draft.oldState = oldState;
    draft.newState = newState;
    draft.durationUs = connection.state === oldState ? microseconds(connection.stateSince, time) : UNKNOWN;
    connection.state = newState;
    connection.stateSince = time;
    give('tcp_state', connection, time, cpu, task);

    if (newState === STATE.SYN_SENT) {
      connection.synSentAt = time;
      derive('tcp_connect', connection, change);
    } else if (newState === STATE.ESTABLISHED) {
      giveEstablished(connection, change);
    } else if (newState === STATE.CLOSE) {
      if (wasEstablished(oldState)) giveLife(connection, change);
      tracker.close(connection);
    }
  }

  function derive(kind: SingleEventKind, connection: Connection, { time, cpu, task }: HeldRecord): void {
    countDerived(ledger);
    give(kind, connection, time, cpu, task);
  }

  function giveEstablished(connection: Connection, change: HeldRecord): void {
    connection.establishedAt = change.time;
    if (connection.direction === 'passive') {
      if (!options.recordsAccepts) derive('tcp_accept', connection, change);
    } else if (connection.direction === 'active') {
      draft.latencyUs = microseconds(connection.synSentAt, change.time);
      derive('tcp_connect_latency', connection, change);
    }
  }

  function giveLife(connection: Connection, change: HeldRecord): void {
    draft.durationUs = microseconds(connection.establishedAt, change.time);
    const isWhole = options.countsRetransmits && connection.lossesBefore === losses;
    draft.retransmits = isWhole ? connection.retransmits : UNKNOWN;
    // The kernel's own count is the better one.
    if (draft.totalRetransmits !== UNKNOWN) draft.retransmits = draft.totalRetransmits;
    derive('tcp_life', connection, change);
  }

  /** What a connection that ends has carried. */
  function takeTotals(record: TcpRecord): void {
    takeMeasures(record);
    draft.bytesSent = record.bytesAcknowledged;
    draft.bytesReceived = record.bytesReceived;
    draft.segmentsSent = record.segmentsSent;
    draft.segmentsReceived = record.segmentsReceived;
  }

  function takeMeasures(record: TcpRecord): void {
    const { srttUs, slowStartThreshold } = record;
    // Before the first sample there is no round trip, and its variance is the initial timeout.
    draft.srttUs = srttUs > 0 ? srttUs : UNKNOWN;
    draft.rttvarUs = srttUs > 0 ? record.rttvarUs : UNKNOWN;
    draft.congestionWindow = record.congestionWindow;
    draft.slowStartThreshold = slowStartThreshold < INFINITE_THRESHOLD ? slowStartThreshold : UNKNOWN;
    draft.totalRetransmits = record.totalRetransmits;
  }

  /** The process that takes the connection owns it from now on. */
  function acceptAccepted(record: TcpRecord, task: Task): void {
    // accept(2) may give a connection that has ended already: it will have no further record.
    const connection =
      record.newState === STATE.CLOSE
        ? tracker.connectionOrPassing(record)
        : tracker.connectionOf(record, record.socket, 'passive');
    followExclusions(connection, record);
    if (connection.direction === 'unknown') {
      connection.direction = 'passive';
      connection.json = null;
    }
    connection.owner = task;
    give('tcp_accept', connection, record.time, record.cpu, task);
  }

  function acceptRetransmit(record: TcpRecord, task: Task): void {
    const connection = tracker.connectionOf(record, record.socket, 'unknown');
    if (NOT_TRANSMITTED.has(record.error)) return filter(ledger, 'not_transmitted');
    const state = record.newState === ABSENT ? connection.state : record.newState;
    draft.retransmitKind = retransmitKind(record, state);
    giveRetransmit(connection, record, task, state);
  }

  function acceptLossProbe(record: TcpRecord, task: Task): void {
    const connection = tracker.connectionOf(record, record.socket, 'unknown');
    if (record.newData === 1) return filter(ledger, 'new_data');
    draft.retransmitKind = 'tlp';
    giveRetransmit(connection, record, task, record.newState);
  }

  /** A SYN-ACK belongs to a request: its record has the listening socket, which is not the connection. */
  function acceptSynAck(record: TcpRecord, task: Task): void {
    const connection = tracker.connectionOf(record, record.request, 'passive');
    tracker.noteRequest(connection, record.time);
    draft.retransmitKind = 'synack';
    giveRetransmit(connection, record, task, STATE.SYN_RECV);
  }

  function giveRetransmit(connection: Connection, record: TcpRecord, task: Task, state: number): void {
    followExclusions(connection, record);
    connection.retransmits++;
    draft.state = state;
    draft.sequence = record.sequence;
    draft.segmentBytes = record.segmentBytes;
    takeMeasures(record);
    const emitted = give('tcp_retransmit', connection, record.time, record.cpu, task);
    if (exclusionOf(connection) === null) {
      summaries.add(connection, record.cpu, draft.retransmitKind, emitted);
    }
  }

  function acceptReset(record: TcpRecord, task: Task, sent: boolean): void {
    // A reset is often sent for no socket, for a listening one, or for one in TIME_WAIT.
    const connection = sent
      ? tracker.connectionOrPassing(record)
      : tracker.connectionOf(record, record.socket, 'unknown');
    followExclusions(connection, record);
    draft.state = record.newState > 0 ? record.newState : connection.state;
    draft.resetSent = sent;
    give('tcp_reset', connection, record.time, record.cpu, task);
  }

  function acceptTcp(record: TcpRecord): void {
    const task = tasks(record.thread, record.cpu, record.time);
    switch (record.probe) {
      case 'tcp_set_state':
        return acceptState(record, task);
      case 'tcp_retransmit_skb':
        return acceptRetransmit(record, task);
      case 'tcp_send_loss_probe':
        return acceptLossProbe(record, task);
      case 'tcp_retransmit_synack':
        return acceptSynAck(record, task);
      case 'inet_csk_accept':
        return acceptAccepted(record, task);
      case 'tcp_send_reset':
        return acceptReset(record, task, true);
      case 'tcp_receive_reset':
        return acceptReset(record, task, false);
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
      isBusy = true;
      acceptTcp(record);
      isBusy = false;
      options.onSettled();
    },
    lost() {
      losses++;
    },
    advance(time) {
      tracker.expire(time);
      summaries.advance(time);
    },
    choose(wanted, unwanted) {
      events = wanted;
      exclusions = unwanted;
      generation++;
    },
    summarize(settings) {
      summaries.set(settings);
    },
    get connections() {
      return tracker.connections;
    },
    get evicted() {
      return tracker.evicted;
    },
  };
}

/** TCP_CA_Recovery and TCP_CA_Loss of `enum tcp_ca_state` (include/uapi/linux/tcp.h). */
const CONGESTION_RECOVERY = 3;
const CONGESTION_LOSS = 4;
/** TCP_INFINITE_SSTHRESH (include/net/tcp.h): there is no threshold yet. */
const INFINITE_THRESHOLD = 0x7fff_ffff;

/**
 * Why a segment is sent again. tcp_retransmit_timer() has put the connection into Loss by then (`tcp_enter_loss`),
 * where it stays until what was lost is repaired; a fast retransmit comes in Recovery.
 */
function retransmitKind({ congestionState, timeouts }: TcpRecord, state: number): RetransmitKind {
  if (state === STATE.SYN_SENT) return 'syn';
  if (congestionState === CONGESTION_LOSS) return 'rto';
  if (congestionState === CONGESTION_RECOVERY) return 'fast';
  return timeouts > 0 ? 'rto' : 'unknown';
}

/** State changes that the owner's own call makes: listen(2), and close(2) or shutdown(2) first or second. */
function isOwnersDoing(newState: number): boolean {
  return newState === STATE.LISTEN || newState === STATE.FIN_WAIT1 || newState === STATE.LAST_ACK;
}
