import { randomBytes } from 'node:crypto';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createCodec } from '../../../../src/sink/kafka/compression.ts';

const DECOMPRESS = {
  gzip: gunzipSync,
  zstd: zstdDecompressSync,
  none: (bytes: Buffer) => bytes,
} as const;
/** Around the size of the pieces that come out of zlib, and far beyond. */
const LENGTHS = [0, 1, 2, 1_000, 65_535, 65_536, 65_537, 200_000, 3_000_000];

describe.each(['gzip', 'zstd', 'none'] as const)('a codec of %s', (compression) => {
  it('gives each call whole and by itself, whatever its length and content', async () => {
    const { compress } = createCodec(compression, 1);
    for (const length of LENGTHS) {
      for (const bytes of [Buffer.alloc(length, 'event'), randomBytes(length)]) {
        const compressed = await compress(bytes);
        expect(DECOMPRESS[compression](compressed).equals(bytes), `${length} bytes`).toBe(true);
      }
    }
  });

  it.skipIf(compression === 'none')('makes less of what repeats itself', async () => {
    const { compress } = createCodec(compression, 1);
    const bytes = Buffer.alloc(100_000, '{"event":"tcp_state"}');
    expect((await compress(bytes)).length).toBeLessThan(bytes.length / 50);
  });
});
