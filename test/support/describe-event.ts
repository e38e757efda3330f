/** The oracle of the serializer: the same events as plain objects, made without it. */
import type { Flow } from '../../src/event/connection/flow.ts';
import type { EventDraft } from '../../src/event/draft.ts';
import type { HostFacts } from '../../src/event/host-facts.ts';
import { SCHEMA_VERSION, type SingleEventKind, TCP_STATES } from '../../src/event/kinds.ts';
import type {
  ConnectEvent,
  LifeEvent,
  RetransmitSummaryEvent,
  SingleEvent,
  TcpEvent,
} from '../../src/event/tcp-event.ts';
import type { TraceClock } from '../../src/source/clock.ts';

type CommonFields = Omit<ConnectEvent, 'event'>;
type ConnectionMeasures = Pick<
  LifeEvent,
  'srtt_us' | 'rttvar_us' | 'congestion_window' | 'slow_start_threshold' | 'total_retransmits'
>;

const orNull = (value: number): number | null => (value < 0 ? null : value);
const portOrNull = (port: number): number | null => (port === 0 ? null : port);
/** In the place of what a summary has not. */
const ANY_FLOW: Flow = {
  version: 4,
  localAddress: '',
  localPort: 0,
  remoteAddress: '',
  remotePort: 0,
  communityId: null,
};
const stateOf = (state: number) => TCP_STATES[state] ?? null;

/** RFC 3339 in UTC with nine digits. */
export function formatTimestamp(clock: TraceClock, time: number): string {
  const nanoseconds = clock.wallNanoseconds + time;
  const seconds = Math.floor(nanoseconds / 1e9);
  const date = new Date((clock.wallSeconds + seconds) * 1000).toISOString().slice(0, 20);
  return `${date}${String(nanoseconds - seconds * 1e9).padStart(9, '0')}Z`;
}

function commonFields(draft: EventDraft, facts: HostFacts, clock: TraceClock): CommonFields {
  const { kernel, session, labels } = facts;
  const { flow, id, direction, netns } = draft.connection;
  if (flow === null) throw new Error('an event was given before its flow was set');
  return {
    schema_version: SCHEMA_VERSION,
    event_id: `${kernel.bootId}-${session}-${draft.cpu}-${draft.ordinal}`,
    timestamp: formatTimestamp(clock, draft.time),
    host: kernel.hostName,
    host_id: kernel.hostId,
    boot_id: kernel.bootId,
    kernel: kernel.release,
    labels: { ...labels },
    pid: draft.task.pid,
    comm: draft.task.comm,
    pid_origin: draft.isOwner ? 'owner' : 'on_cpu',
    cpu: draft.cpu,
    netns: orNull(netns),
    ip_version: flow.version,
    local_address: flow.localAddress,
    local_port: portOrNull(flow.localPort),
    remote_address: flow.remotePort === 0 ? null : flow.remoteAddress,
    remote_port: portOrNull(flow.remotePort),
    connection_id: id,
    community_id: flow.communityId,
    direction,
  };
}

function describeSummary(draft: EventDraft, facts: HostFacts, clock: TraceClock): RetransmitSummaryEvent {
  const { flow, netns, counts, suppressed } = draft.summary;
  const { event_id, schema_version, ...rest } = {
    ...commonFields({ ...draft, connection: { ...draft.connection, flow: ANY_FLOW } }, facts, clock),
    pid: null,
    comm: null,
    pid_origin: null,
    netns: orNull(netns),
    ip_version: flow?.version ?? null,
    local_address: flow?.localAddress ?? null,
    local_port: null,
    remote_address: flow?.remoteAddress ?? null,
    remote_port: null,
    connection_id: null,
    community_id: null,
    direction: null,
  };
  return {
    schema_version,
    event_id,
    event: 'tcp_retransmit_summary',
    ...rest,
    interval_us: draft.intervalUs,
    retransmits: counts.rto + counts.fast + counts.tlp + counts.syn + counts.synack + counts.unknown,
    retransmits_rto: counts.rto,
    retransmits_fast: counts.fast,
    retransmits_tlp: counts.tlp,
    retransmits_syn: counts.syn,
    retransmits_synack: counts.synack,
    retransmits_unknown: counts.unknown,
    retransmits_suppressed: suppressed,
  };
}

/** Without a congestion window the source knows none of them. */
function measuresOf(draft: EventDraft): ConnectionMeasures {
  const known = (value: number) => (draft.congestionWindow < 0 ? null : orNull(value));
  return {
    srtt_us: known(draft.srttUs),
    rttvar_us: known(draft.rttvarUs),
    congestion_window: known(draft.congestionWindow),
    slow_start_threshold: known(draft.slowStartThreshold),
    total_retransmits: known(draft.totalRetransmits),
  };
}

/** The published event of a draft, with its members in the order of the bytes. */
export function describeEvent(draft: EventDraft, facts: HostFacts, clock: TraceClock): TcpEvent {
  const { kind } = draft;
  return kind === 'tcp_retransmit_summary'
    ? describeSummary(draft, facts, clock)
    : describeSingle(kind, draft, facts, clock);
}

function describeSingle(
  kind: SingleEventKind,
  draft: EventDraft,
  facts: HostFacts,
  clock: TraceClock,
): SingleEvent {
  const { event_id, schema_version, ...rest } = commonFields(draft, facts, clock);
  const common = { schema_version, event_id };
  switch (kind) {
    case 'tcp_connect':
    case 'tcp_accept':
      return { ...common, event: kind, ...rest };
    case 'tcp_connect_latency':
      return { ...common, event: kind, ...rest, latency_us: orNull(draft.latencyUs) };
    case 'tcp_life':
      return {
        ...common,
        event: kind,
        ...rest,
        duration_us: orNull(draft.durationUs),
        bytes_sent: orNull(draft.bytesSent),
        bytes_received: orNull(draft.bytesReceived),
        segments_sent: orNull(draft.segmentsSent),
        segments_received: orNull(draft.segmentsReceived),
        retransmits: orNull(draft.retransmits),
        ...measuresOf(draft),
      };
    case 'tcp_retransmit':
      return {
        ...common,
        event: kind,
        ...rest,
        state: stateOf(draft.state),
        retransmit_kind: draft.retransmitKind,
        sequence: orNull(draft.sequence),
        length: orNull(draft.segmentBytes),
        ...measuresOf(draft),
      };
    case 'tcp_state':
      return {
        ...common,
        event: kind,
        ...rest,
        old_state: stateOf(draft.oldState),
        new_state: stateOf(draft.newState),
        duration_us: orNull(draft.durationUs),
      };
    case 'tcp_reset':
      return {
        ...common,
        event: kind,
        ...rest,
        state: stateOf(draft.state),
        reset_direction: draft.resetSent ? 'sent' : 'received',
      };
  }
}
