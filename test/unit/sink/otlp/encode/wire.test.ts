/** Protobuf's encoding of numbers (protobuf.dev/programming-guides/encoding), by its documentation. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  attribute,
  fieldHead,
  integerField,
  lengthDelimited,
  splitSeconds,
  tag,
  textField,
  varintLength,
  WIRE,
  writeTime,
  writeVarint,
} from '../../../../../src/sink/otlp/encode/wire.ts';

/** Seven bits per byte, the lowest first, the eighth bit set in all bytes but the last. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) + 128);
  return [...bytes, Number(rest)];
}

describe('a varint', () => {
  test('of 150 is that of the documentation', () => {
    expect(varint(150)).toEqual([0x96, 0x01]);
  });

  test.each([
    ...[0, 1, 127, 128, 255, 256, 16_383, 16_384, 2 ** 21 - 1, 2 ** 21, 2 ** 28 - 1, 2 ** 28],
    ...[2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 35, 2 ** 42, 2 ** 49 - 1, 2 ** 49, 2 ** 53 - 1],
  ])('of %d is written behind what is there', (value) => {
    const expected = varint(value);
    expect(varintLength(value)).toBe(expected.length);
    const out = Buffer.alloc(14, 0xee);
    expect(writeVarint(out, 2, value)).toBe(2 + expected.length);
    const rest = Array.from({ length: 12 - expected.length }, () => 0xee);
    expect([...out]).toEqual([0xee, 0xee, ...expected, ...rest]);
  });

  test('of any number is as long as it says', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const out = Buffer.alloc(10);
        const end = writeVarint(out, 0, value);
        expect([...out.subarray(0, end)]).toEqual(varint(value));
        expect(varintLength(value)).toBe(end);
      }),
    );
  });
});

describe('a field', () => {
  test('begins with its number and how it is written', () => {
    expect([tag(1, WIRE.varint), tag(2, WIRE.fixed64), tag(12, WIRE.bytes)]).toEqual([8, 17, 98]);
  });

  test('of a number is that of the documentation', () => {
    expect([...integerField(1, 150)]).toEqual([0x08, 0x96, 0x01]);
  });

  test('of text is that of the documentation, whose length is in bytes', () => {
    expect([...textField(2, 'testing')]).toEqual([0x12, 7, ...Buffer.from('testing')]);
    expect([...textField(2, 'é')]).toEqual([0x12, 2, 0xc3, 0xa9]);
  });

  test('of several parts has the length of all', () => {
    const long = 'x'.repeat(200);
    expect([...fieldHead(3, 200)]).toEqual([0x1a, 0xc8, 0x01]);
    expect([...lengthDelimited(3, Buffer.from(long), Buffer.of(1, 2))]).toEqual([
      ...[0x1a, 0xca, 0x01],
      ...Buffer.from(long),
      ...[1, 2],
    ]);
  });

  test('of an attribute has a key and a value, which is text or a number', () => {
    expect([...attribute(6, 'k', 'v')]).toEqual([0x32, 8, 0x0a, 1, 0x6b, 0x12, 3, 0x0a, 1, 0x76]);
    expect([...attribute(6, 'k', 5)]).toEqual([0x32, 7, 0x0a, 1, 0x6b, 0x12, 2, 0x18, 5]);
  });
});

describe('a time', () => {
  const bytesOf = (seconds: number, nanoseconds: number) => {
    const out = Buffer.alloc(12, 0xee);
    expect(writeTime(out, 2, splitSeconds(seconds), nanoseconds)).toBe(10);
    expect([...out.subarray(0, 2), ...out.subarray(10)]).toEqual([0xee, 0xee, 0xee, 0xee]);
    return out.readBigUInt64LE(2);
  };

  test('is exact to the nanosecond until the year 2500', () => {
    const second = fc.nat({ max: 16_725_225_600 });
    fc.assert(
      fc.property(second, fc.nat({ max: 999_999_999 }), (seconds, nanoseconds) => {
        expect(bytesOf(seconds, nanoseconds)).toBe(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds));
      }),
    );
  });

  test('is exact where its lower half is full, and where it begins anew', () => {
    // 4 s and 294,967,295 ns are 2^32 - 1 ns.
    for (const nanoseconds of [294_967_294, 294_967_295, 294_967_296, 294_967_297])
      expect(bytesOf(4, nanoseconds)).toBe(4_000_000_000n + BigInt(nanoseconds));
  });
});
