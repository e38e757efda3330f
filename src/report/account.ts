/**
 * The account of the input: which of the events that the agents numbered are in it, and what the agents' ledgers say
 * about the others. Ordinals rise by one per event of a session and CPU, so each missing number is a missing event.
 */
import type { HostAccount } from './model.ts';
import { createOrdinalSet, type OrdinalSet } from './seen.ts';

export interface Status {
  readonly second: number;
  readonly ledger: ReadonlyMap<string, number>;
  /** Events emitted before it, by CPU. */
  readonly ordinals: ReadonlyMap<string, number>;
  readonly agentVersion: string | null;
  readonly configHash: string | null;
  readonly sourceKind: string | null;
}

export interface Account {
  /** Notes an event; false for one that was noted before. Null for an id that is none. */
  note(host: number, eventId: string): boolean | null;
  /** Notes a host_status, whose own event was noted. */
  noteStatus(host: number, eventId: string, status: Status): void;
  /** Notes that the host was heard of. */
  hear(host: number, second: number): void;
  /** `endS` is the last time in the input. */
  ofHosts(names: readonly string[], endS: number): HostAccount[];
}

interface Session {
  readonly host: number;
  readonly cpus: Map<string, OrdinalSet>;
  first: Status | null;
  last: Status | null;
  /** Seconds between its last two host_status events; null before there are two. */
  intervalS: number | null;
}

/** `<session>-<cpu>-<ordinal>`; the session is a boot id and a number. */
function partsOf(eventId: string): { session: string; cpu: string; ordinal: number } | null {
  const beforeOrdinal = eventId.lastIndexOf('-');
  const beforeCpu = eventId.lastIndexOf('-', beforeOrdinal - 1);
  const ordinal = Number(eventId.slice(beforeOrdinal + 1));
  if (beforeCpu <= 0 || beforeOrdinal + 1 === eventId.length || !Number.isSafeInteger(ordinal)) return null;
  const [session, cpu] = [eventId.slice(0, beforeCpu), eventId.slice(beforeCpu + 1, beforeOrdinal)];
  return ordinal >= 0 && /^\d+$/.test(cpu) ? { session, cpu, ordinal } : null;
}

/** Silence of so many intervals of host_status is no delay any more. */
const SILENT_INTERVALS = 3;
/** The default of host_status.interval_s, for an agent that told once only. */
const INTERVAL_S = 60;

export function createAccount(): Account {
  const sessions = new Map<string, Session>();
  const heard = new Map<number, number>();

  function sessionOf(host: number, name: string): Session {
    const known = sessions.get(name);
    if (known !== undefined) return known;
    const session: Session = { host, cpus: new Map(), first: null, last: null, intervalS: null };
    sessions.set(name, session);
    return session;
  }

  return {
    note(host, eventId) {
      const parts = partsOf(eventId);
      if (parts === null) return null;
      const { cpus } = sessionOf(host, parts.session);
      const ordinals = cpus.get(parts.cpu) ?? createOrdinalSet();
      cpus.set(parts.cpu, ordinals);
      return ordinals.add(parts.ordinal);
    },
    noteStatus(host, eventId, status) {
      const parts = partsOf(eventId);
      if (parts === null) return;
      const session = sessionOf(host, parts.session);
      if (session.first === null || status.second < session.first.second) session.first = status;
      if (session.last !== null && status.second < session.last.second) return;
      if (session.last !== null && status.second > session.last.second)
        session.intervalS = status.second - session.last.second;
      session.last = status;
    },
    hear(host, second) {
      if (second > (heard.get(host) ?? Number.NEGATIVE_INFINITY)) heard.set(host, second);
    },
    ofHosts(names, endS) {
      const byHost = Map.groupBy(sessions.values(), ({ host }) => host);
      return names.flatMap((name, host) => {
        const ofHost = byHost.get(host);
        const lastS = heard.get(host);
        return ofHost === undefined || lastS === undefined ? [] : [accountOf(name, ofHost, lastS, endS)];
      });
    },
  };
}

function accountOf(host: string, sessions: readonly Session[], lastS: number, endS: number): HostAccount {
  const counted = sessions.map(countSession);
  const sum = (of: (session: SessionCount) => number) => counted.reduce((total, each) => total + of(each), 0);
  const reasons = new Map<string, number>();
  for (const { reasons: ofSession } of counted)
    for (const [reason, count] of ofSession) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  const statuses = sessions.flatMap(({ last }) => last ?? []);
  const latest = statuses.sort((one, other) => one.second - other.second).at(-1);
  const expected = sum((session) => session.expected);
  const seen = sum((session) => session.seen);
  return {
    host,
    expected,
    seen,
    missing: expected - seen,
    reasons: Object.fromEntries([...reasons].sort(([one], [other]) => (one < other ? -1 : 1))),
    sessions: sessions.length,
    agent_version: latest?.agentVersion ?? null,
    config_hash: latest?.configHash ?? null,
    source_kind: latest?.sourceKind ?? null,
    last_s: lastS,
    is_silent: isSilent(sessions, lastS, endS),
  };
}

/** Without host_status, a host that has nothing to tell says nothing, and nobody knows whether it is silent. */
function isSilent(sessions: readonly Session[], lastS: number, endS: number): boolean {
  const intervals = sessions.flatMap(({ last, intervalS }) =>
    last === null ? [] : [intervalS ?? INTERVAL_S],
  );
  return intervals.length > 0 && endS - lastS > SILENT_INTERVALS * Math.max(...intervals);
}

interface SessionCount {
  readonly expected: number;
  readonly seen: number;
  readonly reasons: ReadonlyMap<string, number>;
}

function countSession({ cpus, first, last }: Session): SessionCount {
  let expected = 0;
  let seen = 0;
  let isWhole = true;
  for (const cpu of new Set([...cpus.keys(), ...(last?.ordinals.keys() ?? [])])) {
    const ordinals = cpus.get(cpu);
    // A CPU that the first host_status does not name had emitted nothing by then.
    const firstOrdinal = first === null ? Number.POSITIVE_INFINITY : (first.ordinals.get(cpu) ?? 0);
    const from = Math.min(ordinals?.lowest ?? Number.POSITIVE_INFINITY, firstOrdinal);
    const to = Math.max((ordinals?.highest ?? -1) + 1, last?.ordinals.get(cpu) ?? 0);
    expected += to - from;
    seen += ordinals?.size ?? 0;
    isWhole &&= from === 0;
  }
  return { expected, seen, reasons: lossesBetween(isWhole ? null : first, last) };
}

/** What the ledger counts as lost, refused or dropped, and what it counted of that before the input began. */
function lossesBetween(first: Status | null, last: Status | null): Map<string, number> {
  const losses = [...(last?.ledger ?? [])]
    .filter(([name]) => /^lost\.|\.(rejected|dropped)\./.test(name))
    .map(([name, count]): [string, number] => [name, count - (first?.ledger.get(name) ?? 0)]);
  return new Map(losses.filter(([, count]) => count > 0));
}
