import { randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { compressBy, createGzip, createZstd } from '../../../src/sink/compression.ts';

const LENGTHS = [0, 1, 2, 1_000, 65_535, 65_536, 65_537, 200_000, 3_000_000];

describe.each([
  ['gzip', createGzip, gunzipSync],
  ['zstd', createZstd, zstdDecompressSync],
] as const)('%s', (_, create, decompress) => {
  it('gives each call whole and by itself, whatever its length and content', () => {
    const compress = create(1);
    for (const length of LENGTHS) {
      for (const bytes of [Buffer.alloc(length, 'event'), randomBytes(length)]) {
        expect(decompress(compress(bytes)).equals(bytes), `${length} bytes`).toBe(true);
      }
    }
  });

  it('makes less of what repeats itself', () => {
    const bytes = Buffer.alloc(100_000, '{"event":"tcp_state"}');
    expect(create(1)(bytes).length).toBeLessThan(bytes.length / 50);
  });

  it('uses the same memory again', () => {
    const compress = create(1);
    const largest = compress(randomBytes(100_000)).buffer;
    expect(compress(Buffer.alloc(10)).buffer).toBe(largest);
  });
});

it('cannot use a stream that has not what it needs', () => {
  expect(compressBy(new PassThrough(), 0)).toBeNull();
});
