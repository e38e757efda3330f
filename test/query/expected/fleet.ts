/** The facts of the made fleet. */
import type { LoadedFleet } from '../../support/chdb/questions.ts';
import { ownerOf } from '../../support/fleet-truth/plan.ts';
import { type Facts, msOf } from './facts.ts';

export const fleetFacts = ({ events, startMs, endMs, truth }: LoadedFleet): Facts => ({
  ...{ events, startMs, endMs, missing: truth().missing },
  ownerOf: (event) =>
    event.remote_address ? ownerOf(event.remote_address, Math.floor((msOf(event) - startMs) / 60_000)) : null,
});
