import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha1 } from '../../../src/shared/sha1.ts';

test('of any message it is the digest that OpenSSL gives, one after the other', () => {
  fc.assert(
    // Up to some blocks, so that the padding falls on either side of the end of one.
    fc.property(fc.uint8Array({ maxLength: 300 }), (message) => {
      expect(sha1(message).toString('hex')).toBe(createHash('sha1').update(message).digest('hex'));
    }),
    { numRuns: 2_000 },
  );
});
