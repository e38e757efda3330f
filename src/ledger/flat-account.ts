/** The ledger as numbers by name, for programs: `lost.kernel_overrun`, `sink.kafka.delivered`. */
import type { Ledger } from './ledger.ts';

export type FlatAccount = Readonly<Record<string, number>>;

/** What became of the records and events up to the sinks. A reason that was never counted is absent. */
export function flatAccount(ledger: Ledger): FlatAccount {
  const { read, malformed, decoded, derived, emitted, held } = ledger;
  return {
    ...{ read, malformed, decoded, derived, emitted, held },
    ...below('filtered', ledger.filtered),
    ...below('suppressed', ledger.suppressed),
    ...below('lost', ledger.lost),
  };
}

/** What became of the events of each sink. */
export function flatSinkAccounts({ sinks }: Ledger): FlatAccount {
  return Object.assign(
    {},
    ...Object.entries(sinks).map(([name, { rejected, dropped, ...numbers }]) => ({
      ...below(`sink.${name}`, numbers),
      ...below(`sink.${name}.rejected`, rejected),
      ...below(`sink.${name}.dropped`, dropped),
    })),
  );
}

function below(start: string, counts: Readonly<Record<string, number>>): FlatAccount {
  return Object.fromEntries(Object.entries(counts).map(([name, amount]) => [`${start}.${name}`, amount]));
}
