/** The part of the time that everything shows. */
import type { Period } from '../model.ts';
import { type Range, wholeRange } from '../view.ts';

export interface Selection {
  readonly range: Range;
  readonly isWhole: boolean;
  /** Chooses from a time to a time, seconds since 1970; both are moved to the borders of the widest slice. */
  choose(from_s: number, to_s: number): void;
  clear(): void;
  /** Calls now, and after each change. */
  watch(onChange: (range: Range) => void): void;
}

export function createSelection(period: Period): Selection {
  const whole = wholeRange(period);
  let range = whole;
  const watchers: ((range: Range) => void)[] = [];

  function set(next: Range): void {
    if (next.from_s === range.from_s && next.to_s === range.to_s) return;
    range = next;
    for (const onChange of watchers) onChange(range);
  }

  return {
    get range() {
      return range;
    },
    get isWhole() {
      return range.from_s === whole.from_s && range.to_s === whole.to_s;
    },
    choose(from_s, to_s) {
      const { start_s, end_s, snap_s } = period;
      const from = start_s + Math.floor((Math.min(from_s, to_s) - start_s) / snap_s) * snap_s;
      const to = start_s + Math.ceil((Math.max(from_s, to_s) - start_s) / snap_s) * snap_s;
      const inside = { from_s: Math.max(start_s, Math.min(from, end_s - snap_s)), to_s: Math.min(end_s, to) };
      set(inside.to_s > inside.from_s ? inside : { ...inside, to_s: inside.from_s + snap_s });
    },
    clear: () => set(whole),
    watch(onChange) {
      watchers.push(onChange);
      onChange(range);
    },
  };
}
