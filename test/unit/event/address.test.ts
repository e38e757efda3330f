import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatIpv4, formatIpv6, inRange, parseAddress, parseRange } from '../../../src/event/address.ts';
import { addressBytes } from '../../support/record-builder.ts';

const address4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
/** Many zero groups, where the rules of RFC 5952 are. */
const address6 = fc
  .array(fc.oneof(fc.constant(0), fc.constant(1), fc.nat({ max: 0xffff })), { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])));

function mappedIn(bytes: Uint8Array): boolean {
  return (
    bytes.length === 16 &&
    Buffer.from(bytes.subarray(0, 12)).equals(addressBytes('::ffff:0:0').subarray(0, 12))
  );
}

function textOf(bytes: Uint8Array): string {
  return bytes.length === 4 ? formatIpv4(bytes, 0) : formatIpv6(bytes, 0);
}

describe('text of addresses', () => {
  // RFC 5952, sections 4 and 5.
  test.each([
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:0db8:0000:0000:0000:0000:0002:0001', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:DB8:AAAA:0:0:0:0:1', '2001:db8:aaaa::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['fe80:0:0:0:0:0:0:0', 'fe80::'],
    ['0:1:0:1:0:1:0:1', '0:1:0:1:0:1:0:1'],
  ])('%s is %s', (long, short) => {
    expect(formatIpv6(addressBytes(long), 0)).toBe(short);
    expect(parseAddress(long)).toEqual(new Uint8Array(addressBytes(long)));
    expect(parseAddress(short)).toEqual(new Uint8Array(addressBytes(long)));
  });

  test('IPv6 is as the URL standard writes it (which follows RFC 5952), at any offset', () => {
    fc.assert(
      fc.property(address6, fc.nat({ max: 9 }), (bytes, at) => {
        const long = Array.from({ length: 8 }, (_, index) =>
          (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16),
        ).join(':');
        const canonical = new URL(`http://[${long}]/`).hostname.slice(1, -1);
        const page = Buffer.concat([Buffer.alloc(at, 0xee), bytes, Buffer.alloc(3, 0xee)]);
        expect(formatIpv6(page, at)).toBe(canonical);
      }),
      { numRuns: 20_000 },
    );
  });

  test('what is formatted is parsed to the same bytes', () => {
    fc.assert(
      fc.property(fc.oneof(address4, address6), (bytes) => {
        const text = textOf(bytes);
        expect(isIP(text)).toBe(bytes.length === 4 ? 4 : 6);
        expect(parseAddress(text)).toEqual(bytes);
      }),
      { numRuns: 10_000 },
    );
  });

  test('exactly what node:net takes for an address is one (zones left out)', () => {
    const piece = fc.constantFrom(
      '0',
      '1',
      'ffff',
      '10',
      '::',
      ':',
      '.',
      '255',
      '256',
      '1.2.3.4',
      'g',
      '00',
      '01',
      '',
    );
    const any = fc.oneof(
      fc.array(piece, { maxLength: 12 }).map((parts) => parts.join('')),
      fc.array(piece, { maxLength: 9 }).map((parts) => parts.join(':')),
      fc.array(piece, { maxLength: 5 }).map((parts) => parts.join('.')),
      fc.ipV4(),
      fc.ipV6(),
    );
    fc.assert(
      fc.property(any, (text) => {
        expect(parseAddress(text)?.length ?? 0).toBe({ 0: 0, 4: 4, 6: 16 }[isIP(text)]);
      }),
      { numRuns: 30_000 },
    );
  });
});

describe('ranges', () => {
  test('match what BlockList of node:net matches', () => {
    const near = (bytes: Uint8Array) =>
      fc.oneof(
        fc.constant(bytes),
        // One flipped bit, so that every prefix length has hits and misses on its edge.
        fc.nat({ max: bytes.length * 8 - 1 }).map((bit) => {
          const changed = Uint8Array.from(bytes);
          changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
          return changed;
        }),
      );
    const pair = fc
      .oneof(address4, address6)
      .chain((bytes) => fc.tuple(fc.constant(bytes), near(bytes), fc.nat({ max: bytes.length * 8 })));
    fc.assert(
      fc.property(pair, ([network, candidate, prefix]) => {
        fc.pre(!mappedIn(network) && !mappedIn(candidate));
        const family = network.length === 4 ? 'ipv4' : 'ipv6';
        const list = new BlockList();
        list.addSubnet(textOf(network), prefix, family);
        const range = parseRange(`${textOf(network)}/${prefix}`);
        if (range === null) throw new Error('no range');
        const page = Buffer.concat([Buffer.alloc(3, 0xee), candidate]);
        expect(inRange(range, page, 3, candidate.length)).toBe(list.check(textOf(candidate), family));
      }),
      { numRuns: 20_000 },
    );
  });

  test('a single address is a range of one', () => {
    const range = parseRange('10.1.2.3');
    if (range === null) throw new Error('no range');
    expect(inRange(range, addressBytes('10.1.2.3'), 0, 4)).toBe(true);
    expect(inRange(range, addressBytes('10.1.2.2'), 0, 4)).toBe(false);
  });

  test.each([
    ['::ffff:10.0.0.0/104', '10.255.0.1', true],
    ['::ffff:10.0.0.0/104', '11.0.0.1', false],
    ['::ffff:a00:0/104', '10.0.0.1', true],
    ['::ffff:0:0/96', '203.0.113.9', true],
    ['::ffff:192.0.2.1', '192.0.2.1', true],
    ['::ffff:192.0.2.1', '192.0.2.2', false],
    // Wider than the mapped space: a range of IPv6, in which nothing told as IPv4 lies.
    ['::/0', '10.0.0.1', false],
    ['0.0.0.0/0', '::1', false],
    ['0.0.0.0/0', '10.0.0.1', true],
    ['::/0', '2001:db8::1', true],
  ])('%s has %s: %s', (text, candidate, expected) => {
    const range = parseRange(text);
    if (range === null) throw new Error('no range');
    const bytes = addressBytes(candidate);
    expect(inRange(range, bytes, 0, bytes.length)).toBe(expected);
  });

  test.each([
    '',
    '/',
    '/8',
    '10.0.0.0/',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '10.0.0.0/8 ',
    'fe80::1%eth0',
    '::ffff:1.2.3.256',
    '1::2::3',
    ':::',
  ])('%j is none', (text) => {
    expect(parseRange(text)).toBeNull();
  });
});
