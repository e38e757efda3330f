/** The JSON Schema, the TypeScript types and the events agree: required members, kinds, closedness. */
import { describe, expect, test } from 'vitest';
import { createConnection } from '../../../src/event/connection/connection.ts';
import type { Flow } from '../../../src/event/connection/flow.ts';
import { createPeerSummary } from '../../../src/event/connection/peer-summary.ts';
import { createDraft, type EventDraft } from '../../../src/event/draft.ts';
import { EVENT_KINDS, type EventKind, TCP_STATES } from '../../../src/event/kinds.ts';
import schema from '../../../src/event/tcp-event.schema.json' with { type: 'json' };
import type {
  AcceptEvent,
  ConnectEvent,
  ConnectLatencyEvent,
  LifeEvent,
  ResetEvent,
  RetransmitEvent,
  RetransmitSummaryEvent,
  StateEvent,
} from '../../../src/event/tcp-event.ts';
import { describeEvent } from '../../support/describe-event.ts';
import { createEventValidator } from '../../support/schema.ts';

const validate = createEventValidator();

/** The compiler checks that these are exactly the members of each type. */
type Members<T> = Record<keyof T, true>;
const COMMON = {
  schema_version: true,
  event_id: true,
  event: true,
  timestamp: true,
  host: true,
  host_id: true,
  boot_id: true,
  kernel: true,
  labels: true,
  pid: true,
  comm: true,
  pid_origin: true,
  cpu: true,
  netns: true,
  ip_version: true,
  local_address: true,
  local_port: true,
  remote_address: true,
  remote_port: true,
  connection_id: true,
  community_id: true,
  direction: true,
} as const;
const MEASURES = {
  srtt_us: true,
  rttvar_us: true,
  congestion_window: true,
  slow_start_threshold: true,
  total_retransmits: true,
} as const;
const connect: Members<ConnectEvent> = COMMON;
const accept: Members<AcceptEvent> = COMMON;
const latency: Members<ConnectLatencyEvent> = { ...COMMON, latency_us: true };
const state: Members<StateEvent> = { ...COMMON, old_state: true, new_state: true, duration_us: true };
const life: Members<LifeEvent> = {
  ...COMMON,
  ...MEASURES,
  duration_us: true,
  bytes_sent: true,
  bytes_received: true,
  segments_sent: true,
  segments_received: true,
  retransmits: true,
};
const retransmit: Members<RetransmitEvent> = {
  ...COMMON,
  ...MEASURES,
  state: true,
  retransmit_kind: true,
  sequence: true,
  length: true,
};
const reset: Members<ResetEvent> = { ...COMMON, state: true, reset_direction: true };

const summary: Members<RetransmitSummaryEvent> = {
  ...COMMON,
  interval_us: true,
  retransmits: true,
  retransmits_rto: true,
  retransmits_fast: true,
  retransmits_tlp: true,
  retransmits_syn: true,
  retransmits_synack: true,
  retransmits_unknown: true,
  retransmits_suppressed: true,
};

const MEMBERS: Record<EventKind, Record<string, true>> = {
  tcp_connect: connect,
  tcp_accept: accept,
  tcp_connect_latency: latency,
  tcp_state: state,
  tcp_life: life,
  tcp_retransmit: retransmit,
  tcp_reset: reset,
  tcp_retransmit_summary: summary,
};

const FLOW: Flow = {
  version: 4,
  localAddress: '10.0.0.1',
  localPort: 1,
  remoteAddress: '10.0.0.2',
  remotePort: 2,
  communityId: null,
};

function draftOf(kind: EventKind): EventDraft {
  const peer = createPeerSummary(FLOW, 1, 0);
  peer.counts.rto = 2;
  return {
    ...createDraft(),
    kind,
    time: 1,
    cpu: 0,
    ordinal: 0,
    task: { pid: 1, comm: 'init' },
    isOwner: true,
    connection: {
      ...createConnection(1, 'cafe0123-0', 'active'),
      flow: FLOW,
    },
    summary: peer,
    oldState: 1,
    newState: 4,
    state: 1,
    durationUs: 5,
    latencyUs: 5,
    retransmitKind: 'rto',
    resetSent: true,
    retransmits: 0,
  };
}

function eventOf(kind: EventKind): Record<string, unknown> {
  const kernel = { hostName: 'h', hostId: '', bootId: 'b', release: '6.1' };
  const clock = { epoch: { high: 0, low: 0 }, wallSeconds: 1, wallNanoseconds: 0, now: () => 0, follow() {} };
  return { ...describeEvent(draftOf(kind), { kernel, session: 'cafe0123', labels: {} }, clock) };
}

describe.each(EVENT_KINDS)('%s', (kind) => {
  test('requires exactly the members of its TypeScript type', () => {
    const own = schema.allOf.find((part) => part.if.properties.event.const === kind)?.then.required ?? [];
    expect([...schema.required, ...own].sort()).toEqual(Object.keys(MEMBERS[kind]).sort());
    expect(Object.keys(eventOf(kind)).sort()).toEqual(Object.keys(MEMBERS[kind]).sort());
  });

  test('is valid whole, and not valid with any member missing or any member more', () => {
    const event = eventOf(kind);
    expect(validate(event)).toEqual([]);
    for (const name of Object.keys(event)) {
      const { [name]: _, ...without } = event;
      expect(validate(without), name).not.toEqual([]);
    }
    expect(validate({ ...event, surplus: 1 })).not.toEqual([]);
  });

  test('has no member of another kind', () => {
    const event = eventOf(kind);
    for (const other of EVENT_KINDS) {
      for (const [name, value] of Object.entries(eventOf(other))) {
        if (!(name in event)) expect(validate({ ...event, [name]: value }), name).not.toEqual([]);
      }
    }
  });
});

test('only a summary is of no process, port and connection', () => {
  for (const name of ['pid', 'pid_origin', 'connection_id', 'direction'] as const) {
    expect(validate({ ...eventOf('tcp_retransmit'), [name]: null }), name).not.toEqual([]);
    const { [name]: value } = eventOf('tcp_retransmit');
    expect(validate({ ...eventOf('tcp_retransmit_summary'), [name]: value }), name).not.toEqual([]);
  }
  for (const name of ['ip_version', 'local_address'] as const) {
    expect(validate({ ...eventOf('tcp_retransmit'), [name]: null }), name).not.toEqual([]);
    expect(validate({ ...eventOf('tcp_retransmit_summary'), [name]: null }), name).toEqual([]);
  }
});

test('names exactly the kinds and the states of the TypeScript side', () => {
  expect(schema.properties.event.enum).toEqual(EVENT_KINDS);
  expect([...schema.$defs.state.enum].sort()).toEqual([...TCP_STATES].sort());
});

test.each([
  ['timestamp', '2026-11-24T02:13:00.123Z'],
  ['event_id', 'boot-cafe0123-0'],
  ['community_id', '1:short='],
  ['local_port', 0],
  ['local_port', 65_536],
  ['pid', -1],
  ['ip_version', 5],
  ['labels', { rack: 7 }],
  ['direction', 'sideways'],
])('refuses %s = %j', (name, value) => {
  expect(validate({ ...eventOf('tcp_state'), [name]: value })).not.toEqual([]);
});
