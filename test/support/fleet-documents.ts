/** The made fleet of fleet-truth/ in the last hours, as the engines under test get it: lines of JSON. */

import { createFleet } from './fleet-truth/fleet.ts';
import { DURATION_MINUTES } from './fleet-truth/plan.ts';
import type { FleetTruth } from './fleet-truth/truth.ts';

const DAY_MS = 86_400_000;

export interface FleetLines {
  /** Without the repeats. */
  readonly lines: readonly string[];
  readonly repeats: readonly string[];
  readonly truth: FleetTruth;
  readonly startMs: number;
  readonly endMs: number;
}

/** Around the last midnight (UTC): in the range of time that the engines accept, and in two daily indices. */
export function recentFleet(events: number): FleetLines {
  const midnightMs = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const fleet = createFleet({ events, startMs: midnightMs - (DURATION_MINUTES / 2) * 60_000 });
  const lines: string[] = [];
  const repeats: string[] = [];
  for (const { event, isRepeat } of fleet.deliveries()) {
    (isRepeat ? repeats : lines).push(JSON.stringify(event));
  }
  return { lines, repeats, truth: fleet.truth(), startMs: fleet.startMs, endMs: fleet.endMs };
}
