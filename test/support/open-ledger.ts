/** A ledger whose numbers a test may set, to show what follows from numbers that no run would give. */
import type { Ledger } from '../../src/ledger/ledger.ts';

type Open<Part> = Part extends object ? { -readonly [Key in keyof Part]: Open<Part[Key]> } : Part;

/** The same ledger, open to assignments. */
export function openLedger(ledger: Ledger): Open<Ledger> {
  return ledger;
}
