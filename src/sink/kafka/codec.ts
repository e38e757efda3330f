/** The compressions of record batches. */
import { createGzip, createZstd } from '../compression.ts';

export type Compression = 'gzip' | 'zstd' | 'none';

export interface Codec {
  /** The number of the compression in the attributes of a record batch. */
  readonly number: number;
  /** What it gives holds until the next call. */
  compress(bytes: Buffer): Buffer;
}

/** `level`: 1 (quick) to 9 (small). */
export function createCodec(compression: Compression, level: number): Codec {
  switch (compression) {
    case 'none':
      return { number: 0, compress: (bytes) => bytes };
    case 'gzip':
      return { number: 1, compress: createGzip(level) };
    case 'zstd':
      return { number: 4, compress: createZstd(level) };
  }
}
