import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRecentMap } from '../../../../src/source/host/recent-map.ts';

test('keeps the half of its capacity that was used last, never a wrong value, and what was deleted is gone', () => {
  const step = fc.tuple(fc.constantFrom('get', 'set', 'delete'), fc.nat(20));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 10 }), (steps, half) => {
      const map = createRecentMap<number>(2 * half);
      const truth = new Map<number, number>();
      /** The newest last. */
      let used: number[] = [];
      steps.forEach(([kind, key], index) => {
        const before = map.get(key);
        if (before !== undefined) expect(before).toBe(truth.get(key));
        if (used.slice(-half).includes(key)) expect(before).toBe(truth.get(key));
        used = used.filter((each) => each !== key);
        if (kind === 'delete') {
          map.delete(key);
          truth.delete(key);
          expect(map.get(key)).toBeUndefined();
          return;
        }
        if (kind === 'set') {
          map.set(key, index);
          truth.set(key, index);
          used.push(key);
        } else if (before !== undefined) {
          used.push(key);
        }
      });
    }),
  );
});
