/** The verbs of the ledger: the only functions that change its numbers, each of which keeps the equations. */
import type { Counts, Ledger, SinkAccount } from './ledger.ts';
import type { DropReason, FilterReason, LossReason, RejectReason } from './reasons.ts';

type Open<Account> = { -readonly [Key in keyof Account]: Account[Key] };
type OpenCounts<Name extends string> = { [Key in Name]?: number };

function add<Name extends string>(counts: Counts<Name>, name: Name, amount: number): void {
  const open: OpenCounts<Name> = counts;
  open[name] = (open[name] ?? 0) + amount;
}

/** A kernel record was read and decoded. */
export function countRecord(ledger: Ledger): void {
  const open: Open<Ledger> = ledger;
  open.read++;
  open.decoded++;
}

/** A kernel record was read that cannot be decoded. */
export function countMalformedRecord(ledger: Ledger): void {
  const open: Open<Ledger> = ledger;
  open.read++;
  open.malformed++;
}

/** `amount` is in the unit of the reason. */
export function lose(ledger: Ledger, reason: LossReason, amount = 1): void {
  add(ledger.lost, reason, amount);
}

/** One more event is made beside those of the records. */
export function derive(ledger: Ledger): void {
  const open: Open<Ledger> = ledger;
  open.derived++;
}

/** An event waits for the record that completes it. */
export function hold(ledger: Ledger): void {
  const open: Open<Ledger> = ledger;
  open.held++;
}

/** An event waits no longer: it is filtered, suppressed or emitted next. */
export function release(ledger: Ledger): void {
  const open: Open<Ledger> = ledger;
  open.held--;
}

export function filter(ledger: Ledger, reason: FilterReason): void {
  add(ledger.filtered, reason, 1);
}

/** The limit of this kind of event is reached. */
export function suppress(ledger: Ledger, kind: string): void {
  add(ledger.suppressed, kind, 1);
}

/** An event goes to the sinks: it is queued for each of them. */
export function emit(ledger: Ledger): void {
  const open: Open<Ledger> = ledger;
  open.emitted++;
  const { sinks } = ledger;
  // On the path of every event: for-in makes no array.
  for (const name in sinks) {
    const sink: Open<SinkAccount> | undefined = sinks[name];
    if (sink !== undefined) sink.queued++;
  }
}

/** Events of earlier runs were found in the spool. */
export function recover(sink: SinkAccount, events: number): void {
  const open: Open<SinkAccount> = sink;
  open.recovered += events;
  open.spooled += events;
}

/** Queued events are on disk now. */
export function spool(sink: SinkAccount, events: number): void {
  const open: Open<SinkAccount> = sink;
  open.queued -= events;
  open.spooled += events;
}

/** Waiting events are being sent: `queued` of those in memory, `spooled` of those on disk. */
export function take(sink: SinkAccount, { queued, spooled }: Pick<SinkAccount, 'queued' | 'spooled'>): void {
  const open: Open<SinkAccount> = sink;
  open.queued -= queued;
  open.spooled -= spooled;
  open.in_flight += queued + spooled;
}

/** The destination has events that were in flight. */
export function acknowledge(sink: SinkAccount, events: number): void {
  const open: Open<SinkAccount> = sink;
  open.in_flight -= events;
  open.delivered += events;
}

/** The destination will never take events that were in flight. */
export function reject(sink: SinkAccount, reason: RejectReason, events: number): void {
  const open: Open<SinkAccount> = sink;
  open.in_flight -= events;
  add(sink.rejected, reason, events);
}

/** Gives up events that waited in memory or on disk. */
export function drop(
  sink: SinkAccount,
  from: 'queued' | 'spooled',
  reason: DropReason,
  events: number,
): void {
  const open: Open<SinkAccount> = sink;
  open[from] -= events;
  add(sink.dropped, reason, events);
}

/**
 * The sink is closed: what is on disk stays there for the next run, the rest is dropped.
 *
 * @param unsaved events in flight that are not on disk
 */
export function close(sink: SinkAccount, unsaved: number): void {
  const open: Open<SinkAccount> = sink;
  const lost = open.queued + Math.min(open.in_flight, unsaved);
  open.spooled += open.queued + open.in_flight - lost;
  open.queued = 0;
  open.in_flight = 0;
  if (lost > 0) add(sink.dropped, 'shutdown', lost);
}
