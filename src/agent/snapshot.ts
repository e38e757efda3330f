/** What the agent tells about itself, from its parts. */
import type { Normalizer } from '../event/normalizer.ts';
import { imbalances, type Ledger } from '../ledger/ledger.ts';
import type { Source } from '../source/source.ts';
import type { ProcessWatch } from '../telemetry/process.ts';
import type { SourceStatus, TelemetrySnapshot } from '../telemetry/snapshot.ts';
import type { Deliveries } from './deliveries.ts';
import type { HostStatusEmitter } from './host-status.ts';

export interface SnapshotParts {
  readonly version: string;
  readonly source: Source;
  readonly normalizer: Normalizer;
  readonly ledger: Ledger;
  readonly deliveries: Deliveries;
  readonly hostStatus: HostStatusEmitter;
  readonly processWatch: ProcessWatch;
  /** By `process.hrtime`, ns. */
  readonly startedAt: bigint;
}

export function takeSnapshot(parts: SnapshotParts): TelemetrySnapshot {
  const { version, source, normalizer, ledger, deliveries, hostStatus, processWatch, startedAt } = parts;
  return {
    version,
    host: source.kernel.hostName,
    uptime_s: Number(process.hrtime.bigint() - startedAt) / 1e9,
    host_status: hostStatus.state(),
    ledger,
    imbalances: imbalances(ledger),
    source: sourceStatus(source),
    tracking: { connections: normalizer.connections, evicted: normalizer.evicted },
    ...deliveries.status(),
    process: processWatch.read(),
  };
}

function sourceStatus(source: Source): SourceStatus {
  const status = source.status();
  return {
    ...status,
    open: true,
    problem: null,
    probes: status.probes.map(({ name, enabled, filter, filteredBy, problem }) => ({
      name,
      enabled,
      filter: filter === '' ? null : filter,
      filtered_by: filteredBy,
      ...(problem !== null && { problem }),
    })),
  };
}
