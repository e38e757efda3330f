/**
 * The account of every kernel record and every event. Three equations hold at every moment:
 *
 *     read                = decoded + malformed                                             (kernel records)
 *     decoded + derived   = emitted + filtered + suppressed + held                          (events)
 *     emitted + recovered = delivered + rejected + dropped + queued + spooled + in_flight   (events, for each sink)
 *
 * A decoded record gives one event of its own kind; connection tracking derives more from it (connect,
 * accept, latency, life, summaries). `held` waits in connection tracking for the record that completes it. What the
 * kernel itself could not keep is counted beside them in `lost`.
 */

export interface SinkAccount {
  delivered: number;
  rejected: Record<string, number>;
  dropped: Record<string, number>;
  /** Events of earlier runs that were in the spool at the start. */
  recovered: number;
  /** Waits in memory. */
  queued: number;
  /** Waits on disk, and outlives the agent. */
  spooled: number;
  in_flight: number;
}

export interface Ledger {
  read: number;
  malformed: number;
  decoded: number;
  derived: number;
  emitted: number;
  held: number;
  /** By reason: `event_disabled`, `excluded_address`, `excluded_port`, `excluded_comm`, `own_traffic`, … */
  filtered: Record<string, number>;
  /** By kind of event: more came than `limits.events_per_second` lets through. */
  suppressed: Record<string, number>;
  /** By reason; `kernel_overrun` is counted in records, `malformed_page` in pages, `settings_changed` in times. */
  lost: Record<string, number>;
  sinks: Record<string, SinkAccount>;
}

export function createLedger(sinkNames: readonly string[]): Ledger {
  return {
    read: 0,
    malformed: 0,
    decoded: 0,
    derived: 0,
    emitted: 0,
    held: 0,
    filtered: {},
    suppressed: {},
    lost: { kernel_overrun: 0, malformed_page: 0 },
    sinks: Object.fromEntries(
      sinkNames.map((name) => [
        name,
        { delivered: 0, rejected: {}, dropped: {}, recovered: 0, queued: 0, spooled: 0, in_flight: 0 },
      ]),
    ),
  };
}

/** Adds to a counter kept by reason. */
export function count(by: Record<string, number>, reason: string, amount = 1): void {
  by[reason] = (by[reason] ?? 0) + amount;
}

export function total(by: Readonly<Record<string, number>>): number {
  let sum = 0;
  for (const amount of Object.values(by)) sum += amount;
  return sum;
}

/** The equations that do not hold, each as one readable line; empty when all do. */
export function imbalances(ledger: Ledger): string[] {
  const found: string[] = [];
  const check = (left: string, leftValue: number, right: string, rightValue: number) => {
    if (leftValue !== rightValue) found.push(`${left} is ${leftValue}, ${right} is ${rightValue}`);
  };
  check('read', ledger.read, 'decoded + malformed', ledger.decoded + ledger.malformed);
  check(
    'decoded + derived',
    ledger.decoded + ledger.derived,
    'emitted + filtered + suppressed + held',
    ledger.emitted + total(ledger.filtered) + total(ledger.suppressed) + ledger.held,
  );
  for (const [name, sink] of Object.entries(ledger.sinks)) {
    check(
      'emitted + recovered',
      ledger.emitted + sink.recovered,
      `${name}: delivered + rejected + dropped + queued + spooled + in_flight`,
      sink.delivered +
        total(sink.rejected) +
        total(sink.dropped) +
        sink.queued +
        sink.spooled +
        sink.in_flight,
    );
  }
  return found;
}
