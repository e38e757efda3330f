/** The made fleet of fleet-truth/ in the last hours, as the engines under test get it: lines of JSON. */

import { createFleet } from './fleet-truth/fleet.ts';
import { DURATION_MINUTES } from './fleet-truth/plan.ts';
import type { FleetTruth } from './fleet-truth/truth.ts';

export interface FleetLines {
  /** Without the repeats. */
  readonly lines: readonly string[];
  readonly repeats: readonly string[];
  readonly truth: FleetTruth;
  readonly startMs: number;
  readonly endMs: number;
}

/** Its last minute has just ended: indices are kept by the age of what is in them. */
export function recentFleet(events: number): FleetLines {
  const nowMinute = Math.floor(Date.now() / 60_000);
  const fleet = createFleet({ events, startMs: (nowMinute - DURATION_MINUTES) * 60_000 });
  const lines: string[] = [];
  const repeats: string[] = [];
  for (const { event, isRepeat } of fleet.deliveries()) {
    (isRepeat ? repeats : lines).push(JSON.stringify(event));
  }
  return { lines, repeats, truth: fleet.truth(), startMs: fleet.startMs, endMs: fleet.endMs };
}
