/** Kernel records made by hand, and a normalizer that shows what it makes of them. */
import { expect } from 'vitest';
import type { PeerSummary } from '../../src/event/connection/peer-summary.ts';
import type { EventDraft } from '../../src/event/draft.ts';
import { type Exclusions, NO_EXCLUSIONS } from '../../src/event/exclusions.ts';
import type { OwnSocket } from '../../src/event/gate.ts';
import type { HostStatus } from '../../src/event/host-status.ts';
import {
  SINGLE_EVENT_KINDS,
  type SingleEventKind,
  TCP_STATES,
  type TcpState,
} from '../../src/event/kinds.ts';
import { type Limits, NO_LIMITS } from '../../src/event/limits.ts';
import { createNormalizer, type Normalizer } from '../../src/event/normalizer.ts';
import { NO_SUMMARIES, type SummarySettings } from '../../src/event/retransmit-summaries.ts';
import { createLedger, imbalances, type Ledger } from '../../src/ledger/ledger.ts';
import { createRecord, type TcpRecord } from '../../src/source/decode/record.ts';
import type { Task } from '../../src/source/host/tasks.ts';
import type { ProbeName } from '../../src/source/probes.ts';
import { taskOf } from './tasks.ts';

export const MILLISECOND = 1_000_000;
export const SECOND = 1_000_000_000;

/** Both ends of a connection as a record has them; port 0 is what the kernel has not set. */
export interface Ends {
  readonly local: string;
  readonly localPort: number;
  readonly remote: string;
  readonly remotePort: number;
}

export type RecordFields = Partial<Ends> &
  Partial<Omit<TcpRecord, 'probe' | 'oldState' | 'newState' | 'localAddress' | 'remoteAddress'>> & {
    readonly from?: TcpState;
    readonly to?: TcpState;
  };

/** Network bytes of an address, `::` and dotted decimal included. */
export function addressBytes(text: string): Buffer {
  if (!text.includes(':')) return Buffer.from(text.split('.').map(Number));
  const [head = '', tail] = text.split('::');
  const groups = (part: string | undefined) =>
    part === undefined || part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [front, back] = [groups(head), groups(tail)];
  const all = [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

export function stateNumber(state: TcpState): number {
  return TCP_STATES.indexOf(state);
}

/** One record, as the reader would have filled it; `to` is also the state of a retransmit or a reset. */
export function recordOf(probe: ProbeName, fields: RecordFields): TcpRecord {
  const { local = '10.0.0.1', remote = '10.0.0.2', from, to, ...rest } = fields;
  const [localBytes, remoteBytes] = [addressBytes(local), addressBytes(remote)];
  return {
    ...createRecord(),
    localPort: 40_000,
    remotePort: 443,
    socket: 0x1000,
    ...rest,
    probe,
    ...(from !== undefined && { oldState: stateNumber(from) }),
    ...(to !== undefined && { newState: stateNumber(to) }),
    // Somewhere in a page, never at its start.
    bytes: Buffer.concat([Buffer.alloc(7, 0xee), localBytes, remoteBytes, Buffer.alloc(5, 0xee)]),
    addressLength: localBytes.length === 4 ? 4 : 16,
    localAddress: 7,
    remoteAddress: 7 + localBytes.length,
  };
}

/** An event in the terms of this test, copied out of the draft. */
export interface SeenEvent
  extends Omit<
    EventDraft,
    'kind' | 'task' | 'connection' | 'summary' | 'intervalUs' | 'status' | 'oldState' | 'newState' | 'state'
  > {
  readonly kind: SingleEventKind;
  readonly pid: number | null;
  readonly comm: string | null;
  readonly id: string;
  readonly direction: string;
  readonly netns: number;
  readonly version: 4 | 6 | null;
  readonly local: string | null;
  readonly localPort: number | null;
  readonly remote: string | null;
  readonly remotePort: number | null;
  readonly communityId: string | null;
  readonly oldState: TcpState | null;
  readonly newState: TcpState | null;
  readonly state: TcpState | null;
}

/** A summary as it was given. */
export interface SeenSummary extends PeerSummary {
  readonly time: number;
  readonly ordinal: number;
  readonly intervalUs: number;
}

export interface NormalizerFixture {
  readonly events: SeenEvent[];
  readonly summaries: SeenSummary[];
  readonly statuses: HostStatus[];
  readonly ledger: Ledger;
  readonly normalizer: Normalizer;
  /** Feeds one record and gives the events that came of it. The event equation has to hold afterwards. */
  feed(probe: ProbeName, fields: RecordFields): SeenEvent[];
  /** A `tcp_set_state` record. */
  change(from: TcpState, to: TcpState, fields?: RecordFields): SeenEvent[];
  advance(time: number): SeenEvent[];
}

export interface NormalizerFixtureOptions {
  readonly events?: readonly SingleEventKind[];
  readonly limits?: Pick<Limits, 'admits'>;
  readonly summaries?: SummarySettings;
  readonly exclusions?: Partial<Exclusions>;
  readonly maxConnections?: number;
  readonly countsRetransmits?: boolean;
  readonly recordsAccepts?: boolean;
  readonly ownPid?: number;
  readonly ownSockets?: readonly OwnSocket[];
  /** The name of a thread; by default `task<pid>`. */
  readonly comm?: (thread: number) => string | null;
}

export function createNormalizerFixture(options: NormalizerFixtureOptions = {}): NormalizerFixture {
  const events: SeenEvent[] = [];
  const summaries: SeenSummary[] = [];
  const statuses: HostStatus[] = [];
  const ledger = createLedger([]);
  const tasks = new Map<number, Task>();
  const comm = options.comm ?? ((thread: number) => `task${thread}`);
  const normalizer = createNormalizer({
    tasks(thread) {
      const task = tasks.get(thread) ?? taskOf(thread, comm(thread), { unit: `unit${thread}.service` });
      tasks.set(thread, task);
      return task;
    },
    session: 'cafe0123',
    maxConnections: options.maxConnections ?? 1024,
    countsRetransmits: options.countsRetransmits ?? true,
    recordsAccepts: options.recordsAccepts ?? false,
    ledger,
    events: new Set(options.events ?? SINGLE_EVENT_KINDS),
    exclusions: { ...NO_EXCLUSIONS, ...options.exclusions },
    limits: options.limits ?? NO_LIMITS,
    summaries: options.summaries ?? NO_SUMMARIES,
    ownPid: options.ownPid ?? null,
    ownSockets: () => options.ownSockets ?? [],
    onSettled() {},
    emit(draft) {
      const { kind, connection, task, summary, intervalUs, status, ...rest } = draft;
      if (kind === 'tcp_retransmit_summary') {
        const { time, ordinal } = draft;
        summaries.push({ ...summary, counts: { ...summary.counts }, time, ordinal, intervalUs });
        return;
      }
      if (kind === 'host_status') {
        statuses.push(status);
        return;
      }
      const { flow } = connection;
      if (flow === null) throw new Error('an event without a flow');
      events.push({
        ...rest,
        kind,
        pid: task.pid,
        comm: task.comm,
        id: connection.id,
        direction: connection.direction,
        netns: connection.netns,
        version: flow.version,
        local: flow.localAddress,
        localPort: flow.localPort,
        remote: flow.remoteAddress,
        remotePort: flow.remotePort,
        communityId: flow.communityId,
        oldState: TCP_STATES[draft.oldState] ?? null,
        newState: TCP_STATES[draft.newState] ?? null,
        state: TCP_STATES[draft.state] ?? null,
      });
    },
  });

  function after(step: () => void): SeenEvent[] {
    const before = events.length;
    step();
    expect(imbalances(ledger)).toEqual([]);
    return events.slice(before);
  }

  const fixture: NormalizerFixture = {
    events,
    summaries,
    statuses,
    ledger,
    normalizer,
    feed: (probe, fields) => after(() => normalizer.accept(recordOf(probe, fields))),
    change: (from, to, fields) => fixture.feed('tcp_set_state', { ...fields, from, to }),
    advance: (time) => after(() => normalizer.advance(time)),
  };
  return fixture;
}
