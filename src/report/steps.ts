/** The widths of time slices: each is a multiple of the one before, so slices can be joined without cutting any. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Seconds. */
export const STEPS_S: readonly number[] = [
  ...[1, 5, 10, 30],
  ...[MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE],
  ...[HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR],
  ...[DAY, 7 * DAY, 28 * DAY, 364 * DAY],
];

/** A report has at most so many slices of time: more than that no screen shows apart. */
export const MAX_SLICES = 300;

/** The next wider step; the widest stays as it is. */
export function widerStep(stepS: number): number {
  return STEPS_S.find((step) => step > stepS) ?? stepS;
}

/** The slice of a time in seconds since 1970, counted from 1970. */
export function sliceOf(second: number, stepS: number): number {
  return Math.floor(second / stepS);
}
