/** What the truth of the answers is counted from, and the few words that counting needs. */
import { clickhouseTime } from '../../support/chdb/questions.ts';
import type { FleetEvent } from '../../support/fleet-truth/event.ts';
import type { Missing } from '../../support/fleet-truth/truth.ts';

export type Answer = readonly Readonly<Record<string, unknown>>[];
/** The true answer to a question that is asked with these parameters. */
export type Truth = (parameters: Readonly<Record<string, string>>) => Answer;

export interface Owner {
  readonly name: string;
  readonly rack: string;
  readonly service: string;
}

export interface Facts {
  /** What was delivered, each once; of one host in the order in which its agent made them. */
  readonly events: readonly FleetEvent[];
  /** What was emitted and not delivered. */
  readonly missing: readonly Missing[];
  /** Whole minutes. */
  readonly startMs: number;
  readonly endMs: number;
  /** Who had the remote address of the event at its time; null for nobody who is known. */
  readonly ownerOf: (event: FleetEvent) => Owner | 'ambiguous' | null;
}

export const sum = <T>(values: readonly T[], of: (value: T) => number): number =>
  values.reduce((total, value) => total + of(value), 0);
export const count = <T>(values: readonly T[], is: (value: T) => boolean): number => values.filter(is).length;
export const unique = <T>(values: readonly T[], of: (value: T) => unknown): number =>
  new Set(values.map(of)).size;
export const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

/** The values that have the same words, with these words, which begin a row of the answer. */
export function grouped<T, Words extends object>(
  values: readonly T[],
  of: (value: T) => Words,
): { readonly words: Words; readonly all: T[] }[] {
  const groups = new Map<string, { words: Words; all: T[] }>();
  for (const value of values) {
    const words = of(value);
    const key = JSON.stringify(words);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { words, all: [value] });
    else group.all.push(value);
  }
  return [...groups.values()];
}

/** As ClickHouse's quantileExact: the value at that place of the sorted ones. */
export function quantile(level: number, values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(level * sorted.length))] ?? 0;
}

/** An order of rows, by one key after the other. */
export const by =
  <Row>(...keys: readonly ((row: Row) => number | string)[]) =>
  (a: Row, b: Row): number => {
    for (const key of keys) {
      const [left, right] = [key(a), key(b)];
      if (left !== right) return left < right ? -1 : 1;
    }
    return 0;
  };

export const msOf = (event: FleetEvent): number => Date.parse(event.timestamp);
/** As ClickHouse prints it. */
export const timeOf = ({ timestamp }: FleetEvent): string => timestamp.replace('T', ' ').replace('Z', '');
export const secondText = (ms: number): string => clickhouseTime(ms).slice(0, 19);
export const ofKind = (events: readonly FleetEvent[], kind: string): FleetEvent[] =>
  events.filter(({ event }) => event === kind);
export const label = (event: FleetEvent, name: string): string => event.labels[name] ?? '';
/** As the label says; where there is none, the systemd unit of the process. */
export const serviceOf = (event: FleetEvent): string => label(event, 'service') || (event.unit ?? '');
export const sessionOf = (id: string): string => id.split('-').at(-3) ?? '';

/** Retransmits that the events stand for. */
export const again = (events: readonly FleetEvent[]): number =>
  count(events, ({ event }) => event === 'tcp_retransmit') +
  sum(events, (event) => event.retransmits_suppressed ?? 0);
/** Segments that were sent by the connections that have ended. */
export const segments = (events: readonly FleetEvent[]): number =>
  sum(ofKind(events, 'tcp_life'), (event) => event.segments_sent ?? 0);

/** The facts, sorted for the questions. */
export function sorted(facts: Facts) {
  const { events, ownerOf } = facts;
  const peer = (event: FleetEvent, word: keyof Owner): string => {
    const owner = ownerOf(event);
    return owner === null ? 'unknown' : owner === 'ambiguous' ? owner : owner[word];
  };
  const traffic = events.filter(
    ({ event, retransmit_kind }) =>
      ['tcp_life', 'tcp_retransmit', 'tcp_retransmit_summary'].includes(event) && retransmit_kind !== 'syn',
  );
  const statuses = ofKind(events, 'host_status');
  return {
    ...facts,
    peer,
    /** What shares of retransmits are made of. */
    traffic,
    lives: ofKind(events, 'tcp_life'),
    statuses,
    resets: ofKind(events, 'tcp_reset'),
    retransmits: ofKind(events, 'tcp_retransmit'),
    statusesOf: Map.groupBy(statuses, ({ host }) => host),
  };
}
export type Sorted = ReturnType<typeof sorted>;
