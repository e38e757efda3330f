/** Compression of what goes to Kafka. */
import * as zlib from 'node:zlib';

export type Compression = 'gzip' | 'zstd' | 'none';

export interface Codec {
  /** Its number in the attributes of a record batch. */
  readonly number: number;
  /** One call at a time; `bytes` must not change before it resolves. */
  compress(bytes: Buffer): Promise<Buffer>;
}

const CHUNK_BYTES = 64 * 1024;

/** `level`: 1 (quick) to 9 (small). */
export function createCodec(compression: Compression, level: number): Codec {
  switch (compression) {
    case 'none':
      return { number: 0, compress: async (bytes) => bytes };
    case 'gzip': {
      // @types/node leaves out what the documentation has.
      const stream = zlib.createGzip({ level, chunkSize: CHUNK_BYTES }) as zlib.Gzip & zlib.ZlibReset;
      return { number: 1, compress: createCompress(stream, zlib.constants.Z_FINISH, () => stream.reset()) };
    }
    case 'zstd': {
      const params = { [zlib.constants.ZSTD_c_compressionLevel]: level };
      const stream = zlib.createZstdCompress({ params, chunkSize: CHUNK_BYTES });
      // What follows the end of a frame begins the next by itself.
      return { number: 4, compress: createCompress(stream, zlib.constants.ZSTD_e_end, () => {}) };
    }
  }
}

/**
 * One stream for all calls: a new one each time leaves megabytes to the garbage collector, which does not see them
 * (measured, 500 events a call: 250 MB resident with zstd, 98 MB so; 0.75 µs of CPU an event with zstd, 1.3 with gzip).
 */
function createCompress(
  stream: zlib.Gzip | zlib.ZstdCompress,
  finish: number,
  restart: () => void,
): Codec['compress'] {
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  return (bytes) =>
    new Promise((resolve) => {
      stream.write(bytes);
      stream.flush(finish, () => {
        restart();
        resolve(Buffer.concat(pieces.splice(0)));
      });
    });
}
