/** Compresses requests at once, in memory that is used again. */
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { withRoom } from './with-room.ts';

/** Gives the bytes compressed, which holds until the next call. */
export type Compress = (bytes: Uint8Array) => Buffer;

const GZIP_FLUSH = zlib.constants.Z_FINISH;
const ZSTD_FLUSH = zlib.constants.ZSTD_e_end;

/** `level`: 1 (quick) to 9 (small). */
export function createGzip(level: number): Compress {
  const stream = zlib.createGzip({ level });
  return compressBy(stream, GZIP_FLUSH) ?? ((bytes) => zlib.gzipSync(bytes, { level }));
}

/** `level`: 1 (quick) to 9 (small). */
export function createZstd(level: number): Compress {
  const params = { [zlib.constants.ZSTD_c_compressionLevel]: level };
  return (
    compressBy(zlib.createZstdCompress({ params }), ZSTD_FLUSH) ??
    ((bytes) => zlib.zstdCompressSync(bytes, { params }))
  );
}

/** What Node.js has below a stream (lib/zlib.js, src/node_zlib.cc): the state of zlib or zstd. */
interface Engine {
  readonly _handle: {
    /** Fills `_writeState`. */
    writeSync(
      flush: number,
      ...inputAndOutput: [bytes: Uint8Array, from: number, length: number, Uint8Array, number, number]
    ): void;
    reset(): void;
  };
  /** Of the last call: the room that is left in the output, the bytes that are left of the input. */
  readonly _writeState: Uint32Array;
}

function isEngine(stream: Transform): stream is Transform & Engine {
  const { _handle, _writeState } = stream as Partial<Engine>;
  return typeof _handle?.writeSync === 'function' && _writeState instanceof Uint32Array;
}

/**
 * Uses the engine of one stream for all calls; null where a Node.js of another version has none. Writing to the stream itself
 * wakes a thread and is woken by it, each of which costs more than compressing twenty events. The public synchronous calls
 * make a new engine each time, and memory that V8 has to collect: 29 µs for 6 kB, where this takes 8. It holds up the process,
 * by 0.8 ms for 700 kB.
 */
export function compressBy(stream: Transform, flush: number): Compress | null {
  if (!isEngine(stream)) return null;
  const { _handle: handle, _writeState: state } = stream;
  let out: Buffer = Buffer.alloc(0);
  return (bytes) => {
    out = withRoom(out, 0, largest(bytes.length));
    handle.writeSync(flush, bytes, 0, bytes.length, out, 0, out.length);
    if (stream.errored !== null) throw stream.errored;
    const [room = 0] = state;
    handle.reset();
    if (room === 0) throw new Error(`${bytes.length} bytes did not fit, compressed, into ${out.length}`);
    return out.subarray(0, out.length - room);
  };
}

/** More than what cannot be compressed takes: zlib's `deflateBound` and zstd's `ZSTD_compressBound`, each with its frame. */
function largest(bytes: number): number {
  return bytes + (bytes >>> 3) + 1024;
}
