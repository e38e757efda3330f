/** What several scripts leave in the outputs of a guest, by name. */
import { expect } from 'vitest';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { type Counters, countersSince, parseCounters, sumCounters } from '../nstat.ts';

export type OutputOf = (name: string) => string;

/** What both ends of the link of link.sh have counted between its `counters before` and `counters after`. */
export function countedOnLink(output: OutputOf): Counters {
  const at = (when: string) =>
    sumCounters(['a', 'b'].map((side) => parseCounters(output(`nstat-${side}-${when}`))));
  return countersSince(at('before'), at('after'));
}

/** The account in the last line that an agent has logged. */
export function ledgerIn(log: string): Ledger {
  return (JSON.parse(log.trim().split('\n').at(-1) ?? '') as { ledger: Ledger }).ledger;
}

/** What a kernel log says that has something to complain of. */
export const COMPLAINTS = /WARNING:|BUG:|Oops|Call Trace|INFO:|stall/;

/** The kernel has complained of nothing since tcp_trace.ko was loaded, which `dmesg` must tell. */
export function expectNoComplaint(dmesg: string): void {
  const [, ...sinceLoaded] = dmesg.split('tcp_trace: ');
  expect(sinceLoaded.length).toBeGreaterThan(0);
  expect(sinceLoaded.join()).not.toMatch(COMPLAINTS);
}
