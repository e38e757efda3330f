/**
 * The oracle of the serializer: the same events as plain objects, made without it and without the table of fields. Names
 * and order are those of the published schema.
 */
import type { Flow } from '../../src/event/connection/flow.ts';
import type { EventDraft } from '../../src/event/draft.ts';
import type { HostFacts } from '../../src/event/host-facts.ts';
import { SCHEMA_VERSION, TCP_STATES } from '../../src/event/kinds.ts';
import schema from '../../src/event/tcp-event.schema.json' with { type: 'json' };
import type { ConnectEvent, HostStatusEvent, KtcEvent } from '../../src/event/tcp-event.ts';
import type { TraceClock } from '../../src/source/clock.ts';

const orNull = (value: number): number | null => (value < 0 ? null : value);
/** In the place of what a summary has not. */
const ANY_FLOW: Flow = {
  version: 4,
  localAddress: '',
  localPort: null,
  remoteAddress: null,
  remotePort: null,
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

function commonFields(
  draft: EventDraft,
  facts: HostFacts,
  clock: TraceClock,
): Omit<ConnectEvent, 'event'> & { event: string } {
  const { kernel, session, labels } = facts;
  const { flow, id, direction, netns } = draft.connection;
  if (flow === null) throw new Error('an event was given before its flow was set');
  return {
    schema_version: SCHEMA_VERSION,
    event_id: `${kernel.bootId}-${session}-${draft.cpu}-${draft.ordinal}`,
    event: draft.kind,
    timestamp: formatTimestamp(clock, draft.time),
    host: kernel.hostName,
    host_id: kernel.hostId,
    boot_id: kernel.bootId,
    kernel: kernel.release,
    labels: { ...labels },
    pid: draft.task.pid,
    comm: draft.task.comm,
    pid_origin: draft.isOwner ? 'owner' : 'on_cpu',
    unit: draft.task.unit,
    container_id: draft.task.containerId,
    cpu: draft.cpu,
    netns: orNull(netns),
    ip_version: flow.version,
    local_address: flow.localAddress,
    local_port: flow.localPort,
    remote_address: flow.remoteAddress,
    remote_port: flow.remotePort,
    connection_id: id,
    community_id: flow.communityId,
    direction,
  };
}

function summaryFields(draft: EventDraft, facts: HostFacts, clock: TraceClock): object {
  const { flow, netns } = draft.summary;
  return {
    ...commonFields({ ...draft, connection: { ...draft.connection, flow: ANY_FLOW } }, facts, clock),
    pid: null,
    comm: null,
    pid_origin: null,
    unit: null,
    container_id: null,
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
}

function summaryCount(name: string, { summary, intervalUs }: EventDraft): number {
  const { counts, suppressed } = summary;
  switch (name) {
    case 'interval_us':
      return intervalUs;
    case 'retransmits':
      return counts.rto + counts.fast + counts.tlp + counts.syn + counts.synack + counts.unknown;
    case 'retransmits_rto':
      return counts.rto;
    case 'retransmits_fast':
      return counts.fast;
    case 'retransmits_tlp':
      return counts.tlp;
    case 'retransmits_syn':
      return counts.syn;
    case 'retransmits_synack':
      return counts.synack;
    case 'retransmits_unknown':
      return counts.unknown;
    case 'retransmits_suppressed':
      return suppressed;
    default:
      throw new Error(`the oracle does not know ${name} of a summary`);
  }
}

/** Without a congestion window the source knows none of them. */
const MEASURES = new Set([
  'srtt_us',
  'rttvar_us',
  'congestion_window',
  'slow_start_threshold',
  'total_retransmits',
]);

/** A field of a single event that not all kinds have. */
function ownValue(name: string, draft: EventDraft): string | number | null {
  if (MEASURES.has(name) && draft.congestionWindow < 0) return null;
  switch (name) {
    case 'old_state':
      return stateOf(draft.oldState);
    case 'new_state':
      return stateOf(draft.newState);
    case 'state':
      return stateOf(draft.state);
    case 'retransmit_kind':
      return draft.retransmitKind;
    case 'reset_direction':
      return draft.resetSent ? 'sent' : 'received';
    case 'length':
      return orNull(draft.segmentBytes);
    default:
      return orNull(numberOf(name, draft));
  }
}

/** A number has the same name in the draft, in camel case. */
function numberOf(name: string, draft: EventDraft): number {
  const member = name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const value: unknown = draft[member as keyof EventDraft];
  if (typeof value !== 'number') throw new Error(`the draft has no number ${member} for ${name}`);
  return value;
}

function hostStatus(draft: EventDraft, facts: HostFacts, clock: TraceClock): HostStatusEvent {
  const { kernel, session, labels } = facts;
  const { agent, uptimeSeconds, report, ledger, ordinals } = draft.status;
  return {
    schema_version: SCHEMA_VERSION,
    event_id: `${kernel.bootId}-${session}-${draft.cpu}-${draft.ordinal}`,
    event: 'host_status',
    timestamp: formatTimestamp(clock, draft.time),
    host: kernel.hostName,
    host_id: kernel.hostId,
    boot_id: kernel.bootId,
    kernel: kernel.release,
    labels: { ...labels },
    cpu: draft.cpu,
    netns: report.netns,
    agent_version: agent.version,
    uptime_s: uptimeSeconds,
    source_kind: agent.sourceKind,
    config_hash: agent.configHash,
    addresses: [...report.addresses],
    counters: report.counters,
    interfaces: report.interfaces,
    ledger,
    ordinals,
  };
}

/** The published event of a draft, with its members in the order of the bytes. */
export function describeEvent(draft: EventDraft, facts: HostFacts, clock: TraceClock): KtcEvent {
  const { kind } = draft;
  if (kind === 'host_status') return hostStatus(draft, facts, clock);
  const isSummary = kind === 'tcp_retransmit_summary';
  const common: object = isSummary ? summaryFields(draft, facts, clock) : commonFields(draft, facts, clock);
  const names = schema.allOf.find((rule) => rule.if.properties.event.const === kind)?.then.required ?? [];
  const own = names.map((name) => [name, isSummary ? summaryCount(name, draft) : ownValue(name, draft)]);
  return { ...common, ...Object.fromEntries(own) } as KtcEvent;
}
