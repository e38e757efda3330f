/** Overload protection as it is configured, and what an operator is told while it is at work. */
import type { AgentConfig } from '../config/schema.ts';
import type { LimitSettings } from '../event/limits.ts';
import type { SummarySettings } from '../event/retransmit-summaries.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { FaultLog } from '../telemetry/fault-log.ts';

const NS_PER_SECOND = 1_000_000_000;

export function limitsOf({ limits }: AgentConfig): LimitSettings {
  return { perSecond: limits.events_per_second, burstSeconds: limits.burst_s };
}

export function summariesOf({ summary }: AgentConfig): SummarySettings {
  return { intervalNs: summary.interval_s * NS_PER_SECOND, maxPeers: summary.max_peers };
}

/** Gives a function for every now and then: it reports each kind that has been suppressed since its last call. */
export function watchSuppression({ suppressed }: Ledger, faults: FaultLog): () => void {
  const seen = new Map<string, number>();
  return () => {
    for (const kind in suppressed) {
      const events = suppressed[kind] ?? 0;
      if (events === seen.get(kind)) continue;
      seen.set(kind, events);
      faults.report('warn', `suppressed_${kind}`, adviceFor(kind), { kind, events });
    }
  };
}

function adviceFor(kind: string): string {
  const advice = `more ${kind} events come than are let through: raise limits.events_per_second.${kind}, or record less`;
  return kind === 'tcp_retransmit' ? `${advice}; summary.interval_s keeps the counts per peer` : advice;
}
