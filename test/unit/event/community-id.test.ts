import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { communityId } from '../../../src/event/community-id.ts';
import { addressBytes } from '../../support/record-builder.ts';

function idOf(local: Uint8Array, localPort: number, remote: Uint8Array, remotePort: number): string {
  const page = Buffer.concat([Buffer.alloc(5, 0xee), local, Buffer.alloc(2, 0xee), remote]);
  return communityId(page, 5, 7 + local.length, local.length === 4 ? 4 : 16, localPort, remotePort);
}

/** The specification's pseudo code, written on its own. */
function specified(local: Uint8Array, localPort: number, remote: Uint8Array, remotePort: number): string {
  const ports = Buffer.alloc(4);
  const order = Buffer.compare(local, remote);
  const forward = order < 0 || (order === 0 && localPort < remotePort);
  ports.writeUInt16BE(forward ? localPort : remotePort, 0);
  ports.writeUInt16BE(forward ? remotePort : localPort, 2);
  const hash = createHash('sha1')
    .update(Buffer.alloc(2))
    .update(forward ? local : remote)
    .update(forward ? remote : local)
    .update(Buffer.from([6, 0]))
    .update(ports);
  return `1:${hash.digest('base64')}`;
}

describe('Community ID v1', () => {
  // TCP of baseline/baseline_deflt.json in corelight/community-id-spec, and of pycommunityid's tests (its issue 3).
  test.each([
    ['128.232.110.120', 34_855, '66.35.250.204', 80, '1:LQU9qZlK+B5F3KDmev6m5PMibrg='],
    ['10.0.0.1', 10, '10.0.0.2', 11_569, '1:SXBGMX1lBOwhhoDrZynfROxnhnM='],
    [
      '2001:470:e5bf:dead:4957:2174:e82c:4887',
      63_943,
      '2607:f8b0:400c:c03::1a',
      25,
      '1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=',
    ],
  ])('%s %i, %s %i is the published %s, seen from either end', (one, onePort, other, otherPort, expected) => {
    expect(idOf(addressBytes(one), onePort, addressBytes(other), otherPort)).toBe(expected);
    expect(idOf(addressBytes(other), otherPort, addressBytes(one), onePort)).toBe(expected);
  });

  test('is the specification, the same from either end, also of a host with itself', () => {
    const port = fc.integer({ min: 1, max: 65_535 });
    const bytes = (length: number) =>
      fc.oneof(
        fc.uint8Array({ minLength: length, maxLength: length }),
        // Alike but for one byte, on either side of the sign bit.
        fc
          .nat({ max: 255 })
          .map((last) => Uint8Array.from({ length }, (_, index) => (index === length - 1 ? last : 7))),
      );
    const ends = fc.oneof(fc.tuple(bytes(4), bytes(4)), fc.tuple(bytes(16), bytes(16)));
    fc.assert(
      fc.property(ends, port, port, ([local, remote], localPort, remotePort) => {
        const expected = specified(local, localPort, remote, remotePort);
        expect(idOf(local, localPort, remote, remotePort)).toBe(expected);
        expect(idOf(remote, remotePort, local, localPort)).toBe(expected);
        expect(idOf(local, localPort, local, remotePort)).toBe(
          specified(local, localPort, local, remotePort),
        );
      }),
      { numRuns: 10_000 },
    );
  });
});
