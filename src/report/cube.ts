/**
 * Counts by row, measure and slice of time, in bounded memory: when there are too many counts or too many slices, all
 * slices become wider. Nothing is lost by that but resolution in time.
 */
import type { Grid, Packed } from './model.ts';
import { MAX_SLICES, STEPS_S, sliceOf, widerStep } from './steps.ts';

export interface Cube<Measure extends string> {
  /** Adds `value`, which may be 0, at a time in seconds since 1970. Rows are numbered by the caller. */
  add(row: number, measure: Measure, second: number, value: number): void;
  /** Seconds in a slice. */
  readonly stepS: number;
  /** Calls for each count that is not 0, in no order; `second` is the begin of the slice. */
  forEach(visit: (row: number, measure: Measure, second: number, value: number) => void): void;
  /** Makes slices at least so wide. */
  widen(stepS: number): void;
  /** All counts, with slices counted from `startS`, a multiple of the step. */
  grid(startS: number): Grid<Measure>;
}

/** More slices than `MAX_SLICES`, so that the first slice need not move with each event that is a little older. */
const SLICE_SLOTS = 512;
const SLACK = (SLICE_SLOTS - MAX_SLICES) >> 1;

/** With fewer slices, a report could not tell since when. */
const LEAST_SLICES = 8;

export interface CubeOptions<Measure extends string> {
  readonly measures: readonly Measure[];
  /** Beyond so many counts, slices become wider, unless there are only a few of them. */
  readonly maxCounts: number;
}

export function createCube<Measure extends string>(options: CubeOptions<Measure>): Cube<Measure> {
  const { measures } = options;
  let limit = options.maxCounts;
  const measureNumbers = new Map(measures.map((measure, index) => [measure, index]));
  let stepS = STEPS_S[0] ?? 1;
  /** The slice that the slot 0 stands for, counted from 1970. */
  let origin = 0;
  let firstSlice = Number.POSITIVE_INFINITY;
  let lastSlice = Number.NEGATIVE_INFINITY;
  let counts = createCounts();

  function visitSlots(visit: (rowMeasure: number, slice: number, value: number) => void): void {
    counts.forEach((key, value) => {
      visit(Math.floor(key / SLICE_SLOTS), origin + (key % SLICE_SLOTS), value);
    });
  }

  /** Counts again in slices of `nextStepS`, with room on both sides. */
  function rebuild(nextStepS: number): void {
    const toNext = (slice: number) => sliceOf(slice * stepS, nextStepS);
    const nextOrigin = toNext(firstSlice) - SLACK;
    const next = createCounts();
    visitSlots((rowMeasure, slice, value) => {
      next.add(rowMeasure * SLICE_SLOTS + (toNext(slice) - nextOrigin), value);
    });
    firstSlice = toNext(firstSlice);
    lastSlice = toNext(lastSlice);
    [counts, origin, stepS] = [next, nextOrigin, nextStepS];
  }

  /** Makes room for a slice outside of those there are. */
  function extendTo(second: number): void {
    const isEmpty = counts.size === 0;
    const slice = sliceOf(second, stepS);
    firstSlice = Math.min(firstSlice, slice);
    lastSlice = Math.max(lastSlice, slice);
    if (isEmpty) origin = slice - SLACK;
    // The step is found first: with one that is too small, the slices would find no room.
    const step = stepFor(firstSlice * stepS, lastSlice * stepS);
    if (step > stepS) rebuild(step);
    if (firstSlice < origin || lastSlice >= origin + SLICE_SLOTS) rebuild(stepS);
  }

  /** The least step, from the present one on, with which all slices have their place. */
  function stepFor(first: number, last: number): number {
    const fits = (step: number) => sliceOf(last, step) - sliceOf(first, step) < MAX_SLICES;
    return STEPS_S.find((step) => step >= stepS && fits(step)) ?? STEPS_S.at(-1) ?? stepS;
  }

  /** Wider slices, while there are enough of them to tell a time by; then there are that many rows. */
  function shrink(): void {
    if (lastSlice - firstSlice < LEAST_SLICES || widerStep(stepS) === stepS) limit *= 2;
    else rebuild(widerStep(stepS));
  }

  function add(row: number, measure: Measure, second: number, value: number): void {
    if (value === 0) return;
    const slice = sliceOf(second, stepS);
    if (slice < firstSlice || slice > lastSlice) extendTo(second);
    const rowMeasure = row * measures.length + (measureNumbers.get(measure) ?? 0);
    counts.add(rowMeasure * SLICE_SLOTS + (sliceOf(second, stepS) - origin), value);
    if (counts.size > limit) shrink();
  }

  function forEach(visit: (row: number, measure: Measure, second: number, value: number) => void): void {
    visitSlots((rowMeasure, slice, value) => {
      const measure = measures[rowMeasure % measures.length];
      if (measure !== undefined)
        visit(Math.floor(rowMeasure / measures.length), measure, slice * stepS, value);
    });
  }

  return {
    add,
    get stepS() {
      return stepS;
    },
    forEach,
    widen(least) {
      while (stepS < least) rebuild(widerStep(stepS));
    },
    grid(startS) {
      const found = measures.map((): [row: number, slice: number, value: number][] => []);
      forEach((row, measure, second, value) => {
        found[measureNumbers.get(measure) ?? 0]?.push([row, (second - startS) / stepS, value]);
      });
      const series = {} as Record<Measure, Packed>;
      measures.forEach((measure, index) => {
        series[measure] = pack(found[index] ?? []);
      });
      return { step_s: stepS, series };
    },
  };
}

/** Sorted by row and slice; of the rows only the differences, which are short in JSON. */
function pack(counts: [row: number, slice: number, value: number][]): Packed {
  counts.sort((one, other) => one[0] - other[0] || one[1] - other[1]);
  let before = 0;
  return {
    rows: counts.map(([row]) => {
      const difference = row - before;
      before = row;
      return difference;
    }),
    slices: counts.map(([, slice]) => slice),
    values: counts.map(([, , value]) => value),
  };
}

/** A map from whole numbers below 2^53 to sums: 16 bytes per slot, where a Map of objects takes some 100 per entry. */
interface Counts {
  readonly size: number;
  add(key: number, value: number): void;
  forEach(visit: (key: number, value: number) => void): void;
}

const FREE = -1;
const FIRST_SLOTS = 1024;

function createCounts(): Counts {
  let keys = new Float64Array(FIRST_SLOTS).fill(FREE);
  let values = new Float64Array(FIRST_SLOTS);
  let size = 0;

  /** The slot of the key, or the free one where it belongs. */
  function slotOf(key: number): number {
    const mask = keys.length - 1;
    // Both halves of the key are mixed: neighbouring slices and neighbouring rows differ in few bits.
    let slot =
      (Math.imul(key % 0x1_0000_0000, 0x9e37_79b1) ^ Math.imul(key / 0x1_0000_0000, 0x85eb_ca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & mask;
    while (keys[slot] !== key && keys[slot] !== FREE) slot = (slot + 1) & mask;
    return slot;
  }

  function grow(): void {
    const [oldKeys, oldValues] = [keys, values];
    keys = new Float64Array(oldKeys.length * 2).fill(FREE);
    values = new Float64Array(oldKeys.length * 2);
    oldKeys.forEach((key, index) => {
      if (key === FREE) return;
      const slot = slotOf(key);
      keys[slot] = key;
      values[slot] = oldValues[index] ?? 0;
    });
  }

  return {
    get size() {
      return size;
    },
    add(key, value) {
      let slot = slotOf(key);
      if (keys[slot] === FREE) {
        if (size >= keys.length * 0.7) {
          grow();
          slot = slotOf(key);
        }
        keys[slot] = key;
        size++;
      }
      values[slot] = (values[slot] ?? 0) + value;
    },
    forEach(visit) {
      for (let slot = 0; slot < keys.length; slot++) {
        const key = keys[slot] ?? FREE;
        if (key !== FREE) visit(key, values[slot] ?? 0);
      }
    },
  };
}
