/** What the events of a topic, or of a file, say of each session of an agent. */
import type { HostStatusEvent, KtcEvent } from '../../src/event/tcp-event.ts';

export interface Session {
  readonly version: string | undefined;
  /** As the last host_status accounts for them, with itself. The agent emits it when it stops. */
  readonly emitted: number;
  readonly found: number;
  /** By reason, where there are any. */
  readonly lost: Readonly<Record<string, number>>;
  readonly retransmits: number;
  /** Whether retransmits say what their connection has sent, which they do from API 2 of the module on. */
  readonly saysSent: boolean;
}

/** The trace session that an event belongs to. */
export const sessionOf = ({ event_id }: KtcEvent): string => event_id.split('-').slice(0, -2).join('-');

const isHostStatus = (event: KtcEvent): event is HostStatusEvent => event.event === 'host_status';

/** The sessions in the order of their first events. */
export function describeSessions(events: readonly KtcEvent[]): Session[] {
  const inOrder = events.toSorted((one, other) => (one.timestamp < other.timestamp ? -1 : 1));
  return [...Map.groupBy(inOrder, sessionOf).values()].map(describeSession);
}

function describeSession(events: readonly KtcEvent[]): Session {
  const last = events.findLast(isHostStatus);
  const retransmits = events.filter((event) => event.event === 'tcp_retransmit');
  const lost = Object.entries(last?.ledger ?? {}).filter(([key, count]) => /^lost\./.test(key) && count > 0);
  return {
    version: last?.agent_version,
    emitted: (last?.ledger['emitted'] ?? 0) + 1,
    found: events.length,
    lost: Object.fromEntries(lost),
    retransmits: retransmits.length,
    saysSent: retransmits.some(({ segments_sent }) => segments_sent !== null),
  };
}
