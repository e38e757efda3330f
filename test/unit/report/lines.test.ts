import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createLineCutter } from '../../../src/report/input/lines.ts';

function cut(bytes: Buffer, sizes: readonly number[]): string[] {
  const lines: string[] = [];
  const cutter = createLineCutter((line) => lines.push(line));
  let at = 0;
  for (const size of sizes) {
    cutter.take(bytes.subarray(at, at + size));
    at += size;
  }
  cutter.take(bytes.subarray(at));
  cutter.end();
  return lines;
}

it('gives the same lines wherever the bytes are cut, also within a character', () => {
  const lines = fc.array(
    fc.string({ unit: 'grapheme', minLength: 1 }).filter((line) => !/[\r\n]/.test(line)),
  );
  fc.assert(
    fc.property(lines, fc.array(fc.integer({ min: 1, max: 7 })), (expected, sizes) => {
      expect(cut(Buffer.from(expected.join('\n')), sizes)).toEqual(expected);
    }),
  );
});

it('leaves out empty lines, and cuts what has no end', () => {
  expect(cut(Buffer.from('a\n\n\r\nb'), [])).toEqual(['a', 'b']);
  expect(cut(Buffer.alloc(9 * 1024 * 1024, 'x'), [5e6]).length).toBeGreaterThan(1);
});
