/** Random lives of a spool: what is done to it, and what happens to it. */
import fc from 'fast-check';
import type { FullPolicy } from '../../../../src/pipeline/spool/room.ts';
import type { HostCrash } from './crash-disk.ts';

export const SINKS = ['a', 'b'] as const;
export type SinkName = (typeof SINKS)[number];

/** `during` is how many changes of the disk a save makes before the end comes; null is an end without a save. */
export type Command =
  | { readonly do: 'append'; readonly events: number; readonly kilobytes: number }
  | { readonly do: 'take'; readonly sink: SinkName; readonly events: number }
  | { readonly do: 'settle'; readonly sink: SinkName; readonly place: number }
  | { readonly do: 'save' }
  | { readonly do: 'full' | 'broken'; readonly is: boolean }
  | { readonly do: 'close' }
  | { readonly do: 'kill'; readonly during: number | null }
  | { readonly do: 'crash'; readonly during: number | null; readonly how: HostCrash };

export interface Life {
  readonly whenFull: FullPolicy;
  readonly fsyncIntervalMs: 0 | 60_000;
  readonly commands: readonly Command[];
}

const sink = fc.constantFrom(...SINKS);
const during = fc.option(fc.integer({ min: 1, max: 12 }), { nil: null });
const part = fc.constantFrom(0, 0.5, 1);
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      events: fc.integer({ min: 1, max: 4 }),
      kilobytes: fc.constantFrom(0, 0, 9, 30),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('take' as const), sink, events: fc.integer({ min: 1, max: 8 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('settle' as const), sink, place: fc.integer({ min: 0, max: 3 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('save' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('full' as const), is: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('broken' as const), is: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const), during }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      during,
      how: fc.record({ names: part, written: part, zeros: fc.boolean() }),
    }),
  },
);

export const life: fc.Arbitrary<Life> = fc.record({
  whenFull: fc.constantFrom<FullPolicy>('block', 'drop_oldest', 'drop_newest'),
  fsyncIntervalMs: fc.constantFrom<0 | 60_000>(0, 60_000),
  commands: fc.array(command, { maxLength: 60, size: 'max' }),
});
