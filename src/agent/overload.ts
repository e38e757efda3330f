/** Tells the operator which kinds of events are suppressed. */
import type { Ledger } from '../ledger/ledger.ts';
import type { FaultLog } from '../telemetry/fault-log.ts';

/**
 * Returns a function to be called again and again: it reports each kind of event that was suppressed since its last
 * call.
 */
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
