/** Checks of several keys together: values that are right one by one and wrong together. */
import { accessSync, constants } from 'node:fs';
import { fileProblem } from './problem.ts';

/**
 * A check of several keys. `Config` is the part of the configuration that it looks at, `Path` the keys that it may
 * name.
 */
export interface CrossCheck<Config, Path extends string> {
  /** The keys it looks at. The problem is reported at the first of them. */
  readonly reads: readonly [Path, ...Path[]];
  /** One line that continues the path of the first key, or null. */
  readonly check: (config: Config) => string | null;
}

/** `low` must not be above `high`. */
export function ordered<Config, Path extends string>(
  low: Path,
  high: Path,
  values: (config: Config) => [number, number],
): CrossCheck<Config, Path> {
  return {
    reads: [low, high],
    check: (config) => {
      const [lowValue, highValue] = values(config);
      return lowValue <= highValue ? null : `is ${lowValue}, more than ${high}, which is ${highValue}`;
    },
  };
}

/** Why a file cannot be read, null where it can. */
export function unreadable(path: string): string | null {
  try {
    accessSync(path, constants.R_OK);
    return null;
  } catch (error) {
    return fileProblem(error);
  }
}
