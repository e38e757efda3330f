/** Since when something has retransmits, or from when to when, in words. */
import { RETRANSMIT_KINDS } from '../../event/kinds.ts';
import type { ReportModel, Table } from '../model.ts';
import { findSpan } from '../onset.ts';
import { forEachCount, type View } from '../view.ts';
import { clock } from '../words.ts';

/** A span that reaches so far lasts to the end. */
const OPEN_PART = 0.97;

export interface When {
  readonly text: string;
  /** RFC 3339; null where it lasts. */
  readonly since: string | null;
  readonly until: string | null;
}

/** Since when rows that match have more retransmits, or from when to when. */
export function spanOf<Row>(
  table: Table<Row>,
  matches: (row: Row) => boolean,
  model: ReportModel,
  { range }: View,
): When | null {
  const { period } = model;
  const { step_s } = table.grid;
  const first = (range.from_s - period.start_s) / step_s;
  const counts = new Array<number>((range.to_s - range.from_s) / step_s).fill(0);
  for (const kind of RETRANSMIT_KINDS) {
    forEachCount(table.grid, kind, period, range, (row, value, slice) => {
      const made = table.rows[row];
      if (made !== undefined && matches(made)) counts[slice - first] = (counts[slice - first] ?? 0) + value;
    });
  }
  // Slices before the first and after the last event are not quiet, they are not there.
  const start = Math.max(0, Math.floor((period.first_s - range.from_s) / step_s));
  const end = Math.min(counts.length, Math.floor((period.last_s - range.from_s) / step_s) + 1);
  const span = findSpan(counts.slice(start, end));
  if (span === null) return null;
  const at = (slice: number) => range.from_s + (start + slice) * step_s;
  const [from, to] = [at(span.from), at(span.to)];
  const iso = (second: number) => new Date(second * 1000).toISOString();
  const show = (second: number) => clock(second, range, second % 60 === 0 ? 60 : step_s);
  // What began a little before the end has not had the time to be counted: the end is open.
  const isOpen = span.to >= (end - start) * OPEN_PART;
  if (isOpen) return { text: `since ${show(from)} UTC`, since: iso(from), until: null };
  if (span.from === 0) return { text: `until ${show(to)} UTC`, since: null, until: iso(to) };
  return { text: `from ${show(from)} to ${show(to)} UTC`, since: iso(from), until: iso(to) };
}
