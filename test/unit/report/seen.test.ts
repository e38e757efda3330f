import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createOrdinalSet } from '../../../src/report/seen.ts';

it('knows exactly which ordinals it has seen, as a Set does', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat(50), fc.nat(9000), fc.maxSafeNat()), { minLength: 1 }),
      (ordinals) => {
        const seen = createOrdinalSet();
        const model = new Set<number>();
        for (const ordinal of ordinals) {
          expect(seen.add(ordinal)).toBe(!model.has(ordinal));
          model.add(ordinal);
        }
        expect(seen).toMatchObject({
          size: model.size,
          lowest: Math.min(...model),
          highest: Math.max(...model),
        });
      },
    ),
  );
});
