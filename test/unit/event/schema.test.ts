/** The JSON Schema, the TypeScript types and the events agree: required members, kinds, closedness. */
import { describe, expect, expectTypeOf, test } from 'vitest';
import { createConnection } from '../../../src/event/connection/connection.ts';
import type { Flow } from '../../../src/event/connection/flow.ts';
import { createPeerSummary } from '../../../src/event/connection/peer-summary.ts';
import { createDraft, type EventDraft } from '../../../src/event/draft.ts';
import type { Field } from '../../../src/event/field.ts';
import { FIELDS } from '../../../src/event/fields.ts';
import { EVENT_KINDS, type EventKind, TCP_STATES, type TcpState } from '../../../src/event/kinds.ts';
import { eventSchema } from '../../../src/event/schema.ts';
import schema from '../../../src/event/tcp-event.schema.json' with { type: 'json' };
import type {
  EventOf,
  HostStatusEvent,
  LifeEvent,
  ResetEvent,
  RetransmitEvent,
  RetransmitSummaryEvent,
  StateEvent,
} from '../../../src/event/tcp-event.ts';
import { describeEvent } from '../../support/describe-event.ts';
import { createEventValidator, rulesOf } from '../../support/schema.ts';
import { taskOf } from '../../support/tasks.ts';

const validate = createEventValidator();

/**
 * The fields that version 1 has had from its beginning, in the order of the bytes. More may be added; none of these may
 * be taken away, renamed, or put elsewhere.
 */
const COMMON = [
  'schema_version',
  'event_id',
  'event',
  'timestamp',
  'host',
  'host_id',
  'boot_id',
  'kernel',
  'labels',
  'pid',
  'comm',
  'pid_origin',
  'cpu',
  'netns',
  'ip_version',
  'local_address',
  'local_port',
  'remote_address',
  'remote_port',
  'connection_id',
  'community_id',
  'direction',
] as const;
const ENVELOPE = COMMON.slice(0, COMMON.indexOf('pid')) as readonly (keyof HostStatusEvent)[];
const MEASURES = [
  'srtt_us',
  'rttvar_us',
  'congestion_window',
  'slow_start_threshold',
  'total_retransmits',
] as const;
const FIRST_FIELDS: { readonly [Kind in EventKind]: readonly (keyof EventOf<Kind>)[] } = {
  tcp_connect: COMMON,
  tcp_accept: COMMON,
  tcp_connect_latency: [...COMMON, 'latency_us'],
  tcp_state: [...COMMON, 'old_state', 'new_state', 'duration_us'],
  tcp_life: [
    ...COMMON,
    'duration_us',
    'bytes_sent',
    'bytes_received',
    'segments_sent',
    'segments_received',
    'retransmits',
    ...MEASURES,
  ],
  tcp_retransmit: [
    ...COMMON,
    'state',
    'retransmit_kind',
    'sequence',
    'length',
    'bytes_sent',
    'segments_sent',
    ...MEASURES,
  ],
  tcp_reset: [...COMMON, 'state', 'reset_direction'],
  tcp_retransmit_summary: [
    ...COMMON,
    'interval_us',
    'retransmits',
    'retransmits_rto',
    'retransmits_fast',
    'retransmits_tlp',
    'retransmits_syn',
    'retransmits_synack',
    'retransmits_unknown',
    'retransmits_suppressed',
  ],
  host_status: [
    ...ENVELOPE,
    'cpu',
    'netns',
    'agent_version',
    'uptime_s',
    'source_kind',
    'config_hash',
    'addresses',
    'counters',
    'interfaces',
    'ledger',
    'ordinals',
  ],
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
    task: taskOf(1, 'init'),
    isOwner: true,
    connection: {
      ...createConnection(1, 'cafe0123-0', 'active'),
      flow: FLOW,
    },
    summary: peer,
    status: {
      agent: { version: '1.2.3', sourceKind: 'module', configHash: '9f86d081884c7d65' },
      uptimeSeconds: 60,
      report: {
        time: 1,
        netns: 1,
        addresses: ['10.0.0.1', '2001:db8::1'],
        counters: { 'Tcp.OutSegs': 7 },
        interfaces: { 'eth0.7': { rx_crc_errors: 0 } },
      },
      ledger: { read: 7, 'sink.kafka.dropped.spool_full': 1 },
      ordinals: { 0: 512, 511: 1 },
      json: null,
    },
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
  const clock = {
    epoch: { high: 0, low: 0 },
    wallSeconds: 1,
    wallNanoseconds: 0,
    now: () => 0,
    follow: () => 0,
  };
  return { ...describeEvent(draftOf(kind), { kernel, session: 'cafe0123', labels: {} }, clock) };
}

test('the published file is the schema of the table (make docs)', () => {
  expect(JSON.stringify(schema)).toBe(JSON.stringify(eventSchema()));
});

describe.each(EVENT_KINDS)('%s', (kind) => {
  /** The order of `required` means nothing in JSON Schema, so it is that of the table. */
  const required = new Set([...schema.required, ...rulesOf(kind).flatMap(({ then }) => then.required ?? [])]);
  const requiredInOrder = FIELDS.filter(({ name, on }: Field) => required.has(name) && on.includes(kind)).map(
    ({ name }) => name,
  );

  test('has the fields that it has had from the beginning, in their order', () => {
    const first: readonly string[] = FIRST_FIELDS[kind];
    for (const names of [requiredInOrder, Object.keys(eventOf(kind))]) {
      expect(names.filter((name) => first.includes(name))).toEqual(first);
    }
  });

  test('requires exactly the fields of the table, which its events have', () => {
    const names = FIELDS.filter((field: Field) => field.on.includes(kind)).map(({ name }) => name);
    expect([...required].sort()).toEqual([...names].sort());
    expect(Object.keys(eventOf(kind))).toEqual(names);
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
  expect(validate({ ...eventOf('tcp_retransmit_summary'), pid: 1 })).not.toEqual([]);
  for (const name of ['pid_origin', 'connection_id', 'direction'] as const) {
    expect(validate({ ...eventOf('tcp_retransmit'), [name]: null }), name).not.toEqual([]);
    const { [name]: value } = eventOf('tcp_retransmit');
    expect(validate({ ...eventOf('tcp_retransmit_summary'), [name]: value }), name).not.toEqual([]);
  }
  for (const name of ['ip_version', 'local_address'] as const) {
    expect(validate({ ...eventOf('tcp_retransmit_summary'), [name]: null }), name).toEqual([]);
  }
});

test.each([
  ['pid', 1],
  ['local_address', '10.0.0.1'],
  ['connection_id', null],
])('a host_status has no %s, not even null', (name, value) => {
  expect(validate({ ...eventOf('host_status'), [name]: value })).not.toEqual([]);
});

test.each([
  ['config_hash', '9F86D081884C7D65'],
  ['source_kind', 'auto'],
  ['addresses', ['10.0.0.1', '10.0.0.1']],
  ['addresses', ['fe80::1%eth0']],
  ['counters', { TcpOutSegs: 1 }],
  ['counters', { 'Tcp.MaxConn': -1 }],
  ['counters', { 'Tcp.OutSegs': '1' }],
  ['interfaces', { eth0: 1 }],
  ['interfaces', { eth0: { errors: 1 } }],
  ['interfaces', { 'a/b': {} }],
  ['interfaces', { 'sixteen-letters!': {} }],
  ['ledger', { 'lost.': 1 }],
  ['ledger', { lost: { crash: 1 } }],
  ['ordinals', { cpu0: 1 }],
])('a host_status with %s = %j is refused', (name, value) => {
  expect(validate({ ...eventOf('host_status'), [name]: value })).not.toEqual([]);
});

test('names exactly the kinds and the states of the TypeScript side', () => {
  expect(schema.properties.event.enum).toEqual(EVENT_KINDS);
  expect([...schema.$defs.state.enum].sort()).toEqual([...TCP_STATES].sort());
});

test.each([
  ['timestamp', '2026-11-24T02:13:00.123Z'],
  ['event_id', 'boot-cafe0123-0'],
  ['community_id', '1:short='],
  ['local_port', -1],
  ['local_port', 65_536],
  ['pid', -1],
  ['ip_version', 5],
  ['labels', { rack: 7 }],
  ['direction', 'sideways'],
])('refuses %s = %j', (name, value) => {
  expect(validate({ ...eventOf('tcp_state'), [name]: value })).not.toEqual([]);
});

// The compiler checks these.
test('the TypeScript types have null where the schema has it, and the words of its enumerations', () => {
  expectTypeOf<StateEvent['event']>().toEqualTypeOf<'tcp_state'>();
  expectTypeOf<StateEvent['schema_version']>().toEqualTypeOf<1>();
  expectTypeOf<StateEvent['labels']>().toEqualTypeOf<Record<string, string>>();
  expectTypeOf<StateEvent['pid']>().toEqualTypeOf<number | null>();
  expectTypeOf<RetransmitSummaryEvent['pid']>().toEqualTypeOf<null>();
  expectTypeOf<StateEvent['comm']>().toEqualTypeOf<string | null>();
  expectTypeOf<RetransmitSummaryEvent['comm']>().toEqualTypeOf<null>();
  expectTypeOf<StateEvent['pid_origin']>().toEqualTypeOf<'owner' | 'on_cpu'>();
  expectTypeOf<StateEvent['netns']>().toEqualTypeOf<number | null>();
  expectTypeOf<RetransmitSummaryEvent['netns']>().toEqualTypeOf<number | null>();
  expectTypeOf<StateEvent['ip_version']>().toEqualTypeOf<4 | 6 | null>();
  expectTypeOf<RetransmitSummaryEvent['ip_version']>().toEqualTypeOf<4 | 6 | null>();
  expectTypeOf<StateEvent['local_address']>().toEqualTypeOf<string | null>();
  expectTypeOf<RetransmitSummaryEvent['local_address']>().toEqualTypeOf<string | null>();
  expectTypeOf<StateEvent['local_port']>().toEqualTypeOf<number | null>();
  expectTypeOf<StateEvent['connection_id']>().toEqualTypeOf<string>();
  expectTypeOf<StateEvent['direction']>().toEqualTypeOf<'active' | 'passive' | 'unknown'>();
  expectTypeOf<StateEvent['old_state']>().toEqualTypeOf<TcpState | null>();
  expectTypeOf<StateEvent['duration_us']>().toEqualTypeOf<number | null>();
  expectTypeOf<LifeEvent['retransmits']>().toEqualTypeOf<number | null>();
  expectTypeOf<RetransmitSummaryEvent['retransmits']>().toEqualTypeOf<number>();
  expectTypeOf<RetransmitEvent['retransmit_kind']>().toEqualTypeOf<
    'rto' | 'fast' | 'tlp' | 'syn' | 'synack' | 'unknown'
  >();
  expectTypeOf<HostStatusEvent['source_kind']>().toEqualTypeOf<'module' | 'tracepoints' | 'replay'>();
  expectTypeOf<HostStatusEvent['addresses']>().toEqualTypeOf<string[]>();
  expectTypeOf<HostStatusEvent['counters']>().toEqualTypeOf<Record<string, number>>();
  expectTypeOf<HostStatusEvent['interfaces']>().toEqualTypeOf<Record<string, Record<string, number>>>();
  expectTypeOf<keyof HostStatusEvent & 'pid'>().toEqualTypeOf<never>();
  expectTypeOf<ResetEvent['reset_direction']>().toEqualTypeOf<'sent' | 'received'>();
});
