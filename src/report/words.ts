/** Numbers and times in the sentences and tables of a report. */
import type { RetransmitKind } from '../event/kinds.ts';
import { escapeControls, grouped } from '../shared/text.ts';
import type { HostAccount, PeerRow, ServiceRow } from './model.ts';

/** `81 %`, `0.4 %`; `< 0.01 %` for what is not nothing. */
export function percent(share: number): string {
  const value = share * 100;
  if (value === 0) return '0 %';
  if (value < 0.01) return '< 0.01 %';
  const digits = value >= 10 ? 0 : value >= 1 ? 1 : 2;
  // 99.96 % is not all.
  const shown = share < 1 ? Math.min(value, digits === 0 ? 99 : value) : value;
  return `${Number(shown.toFixed(digits))} %`;
}

/** Microseconds in a unit that leaves two or three digits: `850 µs`, `40 ms`, `1.3 s`, `12 min`, `5 h`. */
export function microseconds(value: number): string {
  if (value < 1000) return `${Math.round(value)} µs`;
  if (value < 1_000_000) return `${threeDigits(value / 1000)} ms`;
  if (value < 120_000_000) return `${threeDigits(value / 1_000_000)} s`;
  if (value < 7_200_000_000) return `${threeDigits(value / 60_000_000)} min`;
  return `${threeDigits(value / 3_600_000_000)} h`;
}

function threeDigits(value: number): string {
  return value < 10 ? String(Number(value.toFixed(1))) : grouped(Math.round(value));
}

const UNITS = ['M', 'G', 'T', 'P'];

/** A whole number, or one of three digits with a unit: `812`, `12,345`, `1.20 M`, `34.0 G`, `5.60 T`. */
export function short(value: number): string {
  if (value < 1e6) return grouped(Math.round(value));
  // Rounded first: 999,999,999 is 1.00 G.
  const [digits, exponent] = value.toExponential(2).split('e').map(Number);
  const thousands = Math.min(UNITS.length + 1, Math.floor((exponent ?? 0) / 3));
  return `${((digits ?? 0) * 10 ** ((exponent ?? 0) - 3 * thousands)).toPrecision(3)} ${UNITS[thousands - 2]}`;
}

/** `1 peer`, `412 peers` */
export function counted(count: number, what: string): string {
  return `${grouped(count)} ${what}${count === 1 ? '' : 's'}`;
}

const DAY_S = 86_400;

/** `14:02`, with the date where the whole is longer than a day, and seconds where slices have some. UTC. */
export function clock(
  second: number,
  span: { readonly from_s: number; readonly to_s: number },
  stepS = 60,
): string {
  const text = new Date(second * 1000).toISOString();
  const time = text.slice(11, stepS % 60 === 0 ? 16 : 19);
  return span.to_s - span.from_s > DAY_S ? `${text.slice(0, 10)} ${time}` : time;
}

/** `2026-11-29 14:02:05`, UTC. */
export function dateTime(second: number): string {
  return new Date(second * 1000).toISOString().slice(0, 19).replace('T', ' ');
}

/** What people call the kinds of retransmits. */
export const KIND_NAMES: Readonly<Record<RetransmitKind, string>> = {
  rto: 'timeout',
  fast: 'fast',
  tlp: 'loss probe',
  syn: 'SYN',
  synack: 'SYN-ACK',
  unknown: 'not told',
};

const NAME_LENGTH = 80;

/** A name that somebody else has chosen, within a sentence: cut, and without what steers a terminal or reorders text. */
export function name(text: string): string {
  const whole = text.length > NAME_LENGTH ? `${text.slice(0, NAME_LENGTH)}…` : text;
  return escapeControls(whole);
}

export function serviceName({ service, port }: ServiceRow): string {
  if (port === null) return service === null ? 'not told' : name(service);
  return service === null ? `port ${port}` : `${name(service)}:${port}`;
}

/** What its agent counts as lost, refused or dropped: `sink.kafka.dropped.spool_full 12`. */
export function reasonsText({ reasons }: HostAccount): string {
  return Object.entries(reasons)
    .map(([reason, count]) => `${reason} ${grouped(count)}`)
    .join(', ');
}

/** What stands in place of a host's name or label. */
export const OWNERSHIP_WORDS = {
  known: '–',
  ambiguous: 'ambiguous',
  unknown: 'not known',
  rest: 'further peers',
} as const;

export function peerName({ address, host, ownership }: PeerRow): string {
  if (ownership === 'rest') return OWNERSHIP_WORDS.rest;
  return host === null ? name(address) : `${name(host)} (${name(address)})`;
}
