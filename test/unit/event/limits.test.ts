import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SINGLE_EVENT_KINDS, type SingleEventKind } from '../../../src/event/kinds.ts';
import { createLimits, type LimitSettings } from '../../../src/event/limits.ts';
import { MILLISECOND, SECOND } from '../../support/record-builder.ts';

function settingsOf(perSecond: Partial<Record<SingleEventKind, number>>, burstSeconds = 1): LimitSettings {
  const none = Object.fromEntries(SINGLE_EVENT_KINDS.map((kind) => [kind, 0]));
  return { perSecond: { ...(none as LimitSettings['perSecond']), ...perSecond }, burstSeconds };
}

/** How many of `count` events at one moment pass. */
function admitted(
  limits: ReturnType<typeof createLimits>,
  kind: SingleEventKind,
  time: number,
  count: number,
): number {
  let passed = 0;
  for (let index = 0; index < count; index++) if (limits.admits(kind, time)) passed++;
  return passed;
}

describe('limits', () => {
  test('let everything through where there is none', () => {
    const limits = createLimits(settingsOf({ tcp_state: 1 }));
    expect(admitted(limits, 'tcp_retransmit', 0, 10_000)).toBe(10_000);
    expect(admitted(createLimits(settingsOf({})), 'tcp_state', 0, 10_000)).toBe(10_000);
  });

  test('are of each kind alone', () => {
    const limits = createLimits(settingsOf({ tcp_state: 5, tcp_reset: 3 }, 2));
    expect(admitted(limits, 'tcp_state', 0, 100)).toBe(10);
    expect(admitted(limits, 'tcp_reset', 0, 100)).toBe(6);
    expect(admitted(limits, 'tcp_state', SECOND, 100)).toBe(5);
    expect(admitted(limits, 'tcp_reset', SECOND, 100)).toBe(3);
  });

  test('give a token at the very nanosecond at which it is due', () => {
    const limits = createLimits(settingsOf({ tcp_state: 3 }));
    expect(admitted(limits, 'tcp_state', 0, 100)).toBe(3);
    // A third of a second is no whole number of nanoseconds.
    expect(limits.admits('tcp_state', 333_333_333)).toBe(false);
    expect(limits.admits('tcp_state', 333_333_334)).toBe(true);
    expect(limits.admits('tcp_state', 666_666_666)).toBe(false);
    expect(limits.admits('tcp_state', 666_666_667)).toBe(true);
    expect(limits.admits('tcp_state', 999_999_999)).toBe(false);
    expect(limits.admits('tcp_state', SECOND)).toBe(true);
  });

  test('save up no more than the burst, and nothing while time goes back', () => {
    const limits = createLimits(settingsOf({ tcp_state: 4 }, 2));
    expect(admitted(limits, 'tcp_state', 86_400 * SECOND, 100)).toBe(8);
    expect(admitted(limits, 'tcp_state', 0, 100)).toBe(0);
    expect(admitted(limits, 'tcp_state', 86_400 * SECOND + 250 * MILLISECOND, 100)).toBe(1);
    expect(admitted(limits, 'tcp_state', 2 * 86_400 * SECOND, 100)).toBe(8);
  });

  test('change without a new burst, except for what was not limited before', () => {
    const limits = createLimits(settingsOf({ tcp_state: 10 }));
    expect(admitted(limits, 'tcp_state', 0, 100)).toBe(10);
    limits.set(settingsOf({ tcp_state: 100, tcp_life: 7 }));
    expect(admitted(limits, 'tcp_state', 0, 100)).toBe(0);
    expect(admitted(limits, 'tcp_state', SECOND / 2, 100)).toBe(50);
    expect(admitted(limits, 'tcp_life', SECOND / 2, 100)).toBe(7);
    limits.set(settingsOf({}));
    expect(admitted(limits, 'tcp_state', SECOND / 2, 100)).toBe(100);
    limits.set(settingsOf({ tcp_state: 2 }));
    expect(admitted(limits, 'tcp_state', 2 * SECOND, 100)).toBe(2);
  });

  test('admit an event exactly when no window then holds more than rate × window + burst', () => {
    const step = fc.oneof(
      fc.constant(0),
      fc.integer({ min: -2 * SECOND, max: 2 * SECOND }),
      fc.integer({ min: 0, max: 20 * MILLISECOND }),
      fc.constantFrom(1, SECOND, 1e15),
    );
    const rate = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constantFrom(99_999, 100_000));
    const burst = fc.oneof(fc.integer({ min: 1, max: 3 }), fc.constant(60));
    fc.assert(
      fc.property(
        rate,
        burst,
        fc.array(fc.tuple(step, fc.integer({ min: 1, max: 40 })), { maxLength: 60 }),
        (perSecond, burstSeconds, steps) => {
          const limits = createLimits(settingsOf({ tcp_state: perSecond }, burstSeconds));
          const burstEvents = BigInt(perSecond * burstSeconds);
          /** Of each event that was let through: when, by the latest time known then. */
          const passed: bigint[] = [];
          let time = 0;
          let latest = -1n << 62n;
          for (const [ahead, events] of steps) {
            time += ahead;
            if (BigInt(time) > latest) latest = BigInt(time);
            for (let event = 0; event < events; event++) {
              const fits = passed.every((start, index) => {
                const inWindow = BigInt(passed.length - index + 1);
                return (inWindow - burstEvents) * 1_000_000_000n <= BigInt(perSecond) * (latest - start);
              });
              expect(limits.admits('tcp_state', time)).toBe(fits);
              if (fits) passed.push(latest);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
