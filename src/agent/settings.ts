/** What a reload can change, as the stages take it. */
import { configHash } from '../config/hash.ts';
import type { AgentConfig } from '../config/schema.ts';
import { parseRange } from '../event/address.ts';
import type { Exclusions } from '../event/exclusions.ts';
import { SINGLE_EVENT_KINDS, type SingleEventKind } from '../event/kinds.ts';
import type { LimitSettings } from '../event/limits.ts';
import type { SummarySettings } from '../event/retransmit-summaries.ts';
import type { BatchLimits } from '../sink/batch.ts';
import type { HostStatusSettings } from './host-status.ts';

const NS_PER_SECOND = 1_000_000_000;

export interface Settings {
  readonly events: ReadonlySet<SingleEventKind>;
  readonly exclusions: Exclusions;
  readonly limits: LimitSettings;
  readonly summaries: SummarySettings;
  readonly batches: BatchLimits;
  readonly lingerMs: number;
  readonly hostStatus: HostStatusSettings;
}

export function batchLimitsOf({ batch }: AgentConfig): BatchLimits {
  return { maxEvents: batch.max_events, maxBytes: batch.max_bytes };
}

export function settingsOf(config: AgentConfig): Settings {
  const { events, exclude, limits, summary, batch } = config;
  return {
    events: new Set(SINGLE_EVENT_KINDS.filter((kind) => events[kind])),
    exclusions: {
      ranges: exclude.addresses.flatMap((text) => parseRange(text) ?? []),
      ports: new Set(exclude.ports),
      comms: new Set(exclude.comms),
      units: new Set(exclude.units),
    },
    limits: { perSecond: limits.events_per_second, burstSeconds: limits.burst_s },
    summaries: { intervalNs: summary.interval_s * NS_PER_SECOND, maxPeers: summary.max_peers },
    batches: batchLimitsOf(config),
    lingerMs: batch.linger_ms,
    hostStatus: { intervalSeconds: config.host_status.interval_s, configHash: configHash(config) },
  };
}
