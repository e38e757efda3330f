/** Which connections and processes the operator does not want to see. */
import type { FilterReason } from '../ledger/reasons.ts';
import type { TcpRecord } from '../source/decode/record.ts';
import type { Task } from '../source/host/tasks.ts';
import { inRange, type Range } from './address.ts';

export interface Exclusions {
  readonly ranges: readonly Range[];
  readonly ports: ReadonlySet<number>;
  readonly comms: ReadonlySet<string>;
  readonly units: ReadonlySet<string>;
}

export const NO_EXCLUSIONS: Exclusions = { ranges: [], ports: new Set(), comms: new Set(), units: new Set() };

/** The ledger's reason to leave out the connection of a record, or null. Either endpoint may match. */
export function flowExclusion(exclusions: Exclusions, record: TcpRecord): FilterReason | null {
  const { ports, ranges } = exclusions;
  if (ports.has(record.localPort) || ports.has(record.remotePort)) return 'excluded_port';
  const { bytes, localAddress, remoteAddress, addressLength } = record;
  for (const range of ranges) {
    if (
      inRange(range, bytes, localAddress, addressLength) ||
      inRange(range, bytes, remoteAddress, addressLength)
    ) {
      return 'excluded_address';
    }
  }
  return null;
}

/** The same for the process that owns a connection. */
export function ownerExclusion({ comms, units }: Exclusions, { comm, unit }: Task): FilterReason | null {
  if (comm !== null && comms.has(comm)) return 'excluded_comm';
  return unit !== null && units.has(unit) ? 'excluded_unit' : null;
}
