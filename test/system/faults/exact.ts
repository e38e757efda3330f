/** The account that a row on a stage ends with, and the line that tells it. */
import { expect } from 'vitest';
import { imbalances, type Ledger, type SinkAccount, total } from '../../../src/ledger/ledger.ts';
import { tellRow } from './row.ts';
import type { Ending } from './stage.ts';

/** Of one run: what an agent that ends in order has told of its only sink. */
function sinkOf(ledger: Ledger): SinkAccount {
  const { file } = ledger.sinks;
  if (file === undefined) throw new Error('the agent has no file sink');
  return file;
}

/** Everything that is counted as lost or dropped, by reason: records where the kernel or a kill took them, else events. */
function lossesOf({ ledgers, crashes }: Ending): Record<string, number> {
  const losses: Record<string, number> = {};
  for (const ledger of ledgers) {
    const { crash: _, ...lost } = ledger.lost;
    const { dropped, rejected } = sinkOf(ledger);
    for (const [reason, amount] of Object.entries({ ...lost, ...dropped, ...rejected }))
      if (amount > 0) losses[reason] = (losses[reason] ?? 0) + amount;
  }
  const crashed = crashes.reduce((sum, records) => sum + records, 0);
  if (crashed > 0) losses['crash'] = crashed;
  return losses;
}

export interface Expected {
  /** The reasons for which something may be missing; all others must be 0. */
  readonly reasons?: readonly string[];
  /** What the row has measured beside, in words. */
  readonly measured?: string;
  /** Some of the agents' ftrace instances are gone, and with them the kernel's counters: the ledgers stand for them. */
  readonly kernelIsGone?: boolean;
}

/**
 * What stands in the sink's file is what the kernel gave to be read, less what is counted as lost, to the unit.
 * Prints the row, and gives the losses by reason.
 */
export function expectExact(row: string, ending: Ending, expected: Expected = {}): Record<string, number> {
  const { kernel, found, ledgers, kills } = ending;
  const losses = lossesOf(ending);
  const sum = (part: (ledger: Ledger) => number) => ledgers.reduce((all, ledger) => all + part(ledger), 0);
  const read = expected.kernelIsGone === true ? sum((ledger) => ledger.read) : kernel.read;
  const eventsOfRecord = found.all.unique / found.records.unique;
  tellRow({
    row,
    // What there was to be read: a fault may leave little of it.
    perSecond: ((read + kernel.lost) * eventsOfRecord) / ending.seconds,
    expected: `${read} records`,
    found: `${found.records.unique} of them, in ${found.all.unique} events`,
    lost: losses,
    doubled: found.all.doubled,
    peakMemory: ending.peakMemory,
    measured: expected.measured ?? '',
  });

  expect(found.all.changed).toEqual([]);
  expect(found.torn).toBeLessThanOrEqual(kills);
  expect(Object.keys(losses).filter((reason) => expected.reasons?.includes(reason) !== true)).toEqual([]);
  for (const ledger of ledgers) expect(imbalances(ledger)).toEqual([]);
  // The stage's filter leaves nothing to be filtered: each record is an event that stands for it.
  for (const ledger of ledgers) expect(ledger.filtered).toEqual({});

  const dropped = sum((ledger) => total(sinkOf(ledger).dropped) + total(sinkOf(ledger).rejected));
  if (dropped === 0) expect(found.records.unique + (losses['crash'] ?? 0)).toBe(read);
  if (kills === 0) {
    expect(sum((ledger) => ledger.read)).toBe(read);
    expect(found.all.unique).toBe(sum((ledger) => ledger.emitted) - dropped);
  }
  if (expected.kernelIsGone !== true) {
    const overwritten = ['kernel_overrun', 'kernel_dropped', 'while_down'];
    expect(overwritten.reduce((all, reason) => all + (losses[reason] ?? 0), 0)).toBe(kernel.lost);
  }
  return losses;
}
