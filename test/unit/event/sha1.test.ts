import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MOST_BYTES, sha1 } from '../../../src/event/sha1.ts';

test('of any short message it is the digest that OpenSSL gives, one after the other', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: MOST_BYTES, size: 'max' }), (message) => {
      expect(sha1(message).toString('hex')).toBe(createHash('sha1').update(message).digest('hex'));
    }),
    { numRuns: 2_000, examples: [[new Uint8Array(0)], [new Uint8Array(MOST_BYTES).fill(255)]] },
  );
});

test('a message that does not fit into a block is refused', () => {
  expect(() => sha1(new Uint8Array(MOST_BYTES + 1))).toThrow(RangeError);
});
