/**
 * The account of every kernel record and every event. Three equations hold at every moment:
 *
 *     read                = decoded + malformed                                             (kernel records)
 *     decoded + derived   = emitted + filtered + suppressed + held                          (events)
 *     emitted + recovered = delivered + rejected + dropped + queued + spooled + in_flight   (events, for each sink)
 *
 * A decoded record makes one event of its own kind; connection tracking derives more from it (connect, accept, latency,
 * life, summaries), and a `host_status` is derived from no record at all. `held` events wait in connection tracking for the record that completes them. What the kernel itself
 * could not keep is counted beside the equations, in `lost`.
 *
 * Everybody may read the numbers; only the verbs of booking.ts change them, and each keeps the equations.
 */
import type { DropReason, FilterReason, LossReason, RejectReason } from './reasons.ts';

/** Numbers by name. A name that was never counted is absent. */
export type Counts<Name extends string> = { readonly [Key in Name]?: number };

export interface SinkAccount {
  readonly delivered: number;
  readonly rejected: Counts<RejectReason>;
  readonly dropped: Counts<DropReason>;
  /** Events of earlier runs that were in the spool at the start. */
  readonly recovered: number;
  /** Events that wait in memory. */
  readonly queued: number;
  /** Events that wait on disk, and outlive the agent. */
  readonly spooled: number;
  /** Events that were sent and are not acknowledged yet. */
  readonly in_flight: number;
}

export interface Ledger {
  readonly read: number;
  readonly malformed: number;
  readonly decoded: number;
  readonly derived: number;
  readonly emitted: number;
  readonly held: number;
  readonly filtered: Counts<FilterReason>;
  /** By kind of event: more came than `limits.events_per_second` lets through. */
  readonly suppressed: Readonly<Record<string, number>>;
  /** The unit depends on the reason, see `LOSS_REASONS`. */
  readonly lost: Counts<LossReason>;
  readonly sinks: Readonly<Record<string, SinkAccount>>;
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

export function total(counts: Readonly<Record<string, number>>): number {
  let sum = 0;
  for (const amount of Object.values(counts)) sum += amount;
  return sum;
}

/** Events that the sink has not settled yet. */
export function waiting({ queued, spooled, in_flight }: SinkAccount): number {
  return queued + spooled + in_flight;
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
      sink.delivered + total(sink.rejected) + total(sink.dropped) + waiting(sink),
    );
  }
  return found;
}
