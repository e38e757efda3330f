/**
 * Decides which events go out, and books each decision: switched off, excluded, over the limit of its kind, or emitted.
 * Fills in what every event has in common.
 */
import { emit, filter, suppress } from '../ledger/booking.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { FilterReason } from '../ledger/reasons.ts';
import type { TcpRecord } from '../source/decode/record.ts';
import type { Task } from '../source/host/tasks.ts';
import type { Connection } from './connection/connection.ts';
import type { EventDraft } from './draft.ts';
import { type Exclusions, flowExclusion, ownerExclusion } from './exclusions.ts';
import type { EventKind, SingleEventKind } from './kinds.ts';
import type { Limits } from './limits.ts';

/** Whose ordinals a `host_status` takes part in: every host has this CPU. */
export const STATUS_CPU = 0;

export interface OwnSocket {
  readonly localPort: number;
  readonly remotePort: number;
}

export interface GateOptions {
  readonly ledger: Ledger;
  readonly events: ReadonlySet<SingleEventKind>;
  readonly exclusions: Exclusions;
  /** Has the last word on each single event. */
  readonly limits: Pick<Limits, 'admits'>;
  /** The agent's process, whose own connections never make events; null for a replay. */
  readonly ownPid: number | null;
  /** The connections of the agent's own sinks at this moment. */
  readonly ownSockets: () => readonly OwnSocket[];
  /** Takes each event; the draft is used again afterwards. */
  readonly emit: (draft: EventDraft) => void;
}

export interface Gate {
  /** Decides whether a connection whose flow has become known is excluded. */
  decide(connection: Connection, record: TcpRecord): void;
  /** Decides again if the exclusions have changed since. */
  follow(connection: Connection, record: TcpRecord): void;
  /** Why the events of a connection are left out, or null. */
  exclusionOf(connection: Connection): FilterReason | null;
  /**
   * Emits the draft as a single event of this connection, or counts why not and returns false.
   *
   * @param time trace time, ns
   * @param onCpu the task that was on the CPU; the event tells of it where the owner is not known
   */
  pass(kind: SingleEventKind, connection: Connection, time: number, cpu: number, onCpu: Task): boolean;
  /** Emits the draft as it is. */
  emit(kind: EventKind, time: number, cpu: number): void;
  /** By CPU: how many events it has emitted so far; CPU 0 always, another one if it has any. */
  emitted(): Record<string, number>;
  /** Replaces what is wanted, for all later events. */
  choose(events: ReadonlySet<SingleEventKind>, exclusions: Exclusions): void;
}

export function createGate(draft: EventDraft, options: GateOptions): Gate {
  const { ledger, limits, ownPid } = options;
  let { events, exclusions } = options;
  /** Counts how often the exclusions were replaced. */
  let generation = 0;
  /** How many events each CPU has emitted. */
  const ordinals: number[] = [];

  /** Tells by the process that opened it, or by its ports where that process is not known. */
  function isOwn({ direction, owner }: Connection, { localPort, remotePort }: TcpRecord): boolean {
    if (ownPid === null || direction === 'passive') return false;
    if (direction === 'active' && owner !== null) return owner.pid === ownPid;
    return options
      .ownSockets()
      .some((socket) => socket.localPort === localPort && socket.remotePort === remotePort);
  }

  function decide(connection: Connection, record: TcpRecord): void {
    connection.exclusion = isOwn(connection, record) ? 'own_traffic' : flowExclusion(exclusions, record);
    connection.exclusionGeneration = generation;
  }

  function exclusionOf({ exclusion, owner }: Connection): FilterReason | null {
    if (exclusion !== null) return exclusion;
    // The task that merely ran on the CPU has nothing to do with the connection.
    return owner === null ? null : ownerExclusion(exclusions, owner);
  }

  function emitDraft(kind: EventKind, time: number, cpu: number): void {
    draft.kind = kind;
    draft.time = time;
    draft.cpu = cpu;
    const ordinal = ordinals[cpu] ?? 0;
    ordinals[cpu] = ordinal + 1;
    draft.ordinal = ordinal;
    emit(ledger);
    options.emit(draft);
  }

  return {
    decide,
    follow(connection, record) {
      if (connection.exclusionGeneration !== generation) decide(connection, record);
    },
    exclusionOf,
    pass(kind, connection, time, cpu, onCpu) {
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
      emitDraft(kind, time, cpu);
      return true;
    },
    emit: emitDraft,
    emitted() {
      const counts: Record<string, number> = { [STATUS_CPU]: 0 };
      ordinals.forEach((count, cpu) => {
        counts[cpu] = count;
      });
      return counts;
    },
    choose(wanted, unwanted) {
      events = wanted;
      exclusions = unwanted;
      generation++;
    },
  };
}
