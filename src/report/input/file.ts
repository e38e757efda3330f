/** Files and standard input: NDJSON, also compressed with gzip or zstd, and recordings. */
import { createReadStream } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { hasErrorCode, isSystemError } from '../../shared/errors.ts';
import { type Chunk, type Input, inputRefusal } from './input.ts';
import { replay } from './recording.ts';

const GZIP = Buffer.from([0x1f, 0x8b]);
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
/** A recording begins with the type of its first frame (src/source/recording/recording.ts), NDJSON with `{`. */
const RECORDING = Buffer.from([1, 0]);

/** `program` runs `ktc`: node, its options, and the bundle. */
export function fileInput(path: string, program: readonly string[]): Input {
  const problems: string[] = [];
  return {
    name: path,
    async *read() {
      yield* readAny(createReadStream(path), path, () =>
        replay(path, program, (problem) => problems.push(`${path}: ${problem}`)),
      );
    },
    problems: () => problems,
  };
}

export function standardInput(stdin: Readable): Input {
  const name = 'standard input';
  const refuse = async function* (): AsyncGenerator<Chunk> {
    yield inputRefusal('damaged', `${name} is a recording: name it as a file`);
  };
  return { name, read: () => readAny(stdin, name, refuse), problems: () => [] };
}

async function* readAny(
  source: Readable,
  name: string,
  recording: () => AsyncIterable<Chunk>,
): AsyncGenerator<Chunk> {
  try {
    const { first, all } = await peek(source);
    const plain = first.subarray(0, 2).equals(GZIP)
      ? through(all, createGunzip())
      : first.subarray(0, 4).equals(ZSTD)
        ? through(all, createZstdDecompress())
        : all;
    const opened = await peek(plain);
    if (opened.first.subarray(0, 2).equals(RECORDING)) {
      opened.all.destroy();
      yield* recording();
    } else {
      for await (const value of opened.all) yield { ok: true, value };
    }
  } catch (error) {
    yield refusalOf(error, name);
  }
}

/** The first bytes of a stream, and the whole stream. */
async function peek(source: Readable): Promise<{ first: Buffer; all: Readable }> {
  const chunks: AsyncIterator<Buffer> = source[Symbol.asyncIterator]();
  const first = await chunks.next();
  if (first.done === true) return { first: Buffer.alloc(0), all: Readable.from([]) };
  async function* again(): AsyncGenerator<Buffer> {
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => chunks };
  }
  return { first: first.value, all: Readable.from(again()) };
}

function through(source: Readable, unpack: ReturnType<typeof createGunzip>): Readable {
  // The callback has nothing to do: the reader of the last stream gets the error of any.
  return pipeline(source, unpack, () => {});
}

function refusalOf(error: unknown, name: string): Chunk {
  if (hasErrorCode(error, 'ENOENT', 'ENOTDIR'))
    return inputRefusal('unavailable', `there is no file ${name}`);
  if (hasErrorCode(error, 'EACCES', 'EPERM'))
    return inputRefusal('not_permitted', `cannot read ${name}: ask as its owner, or as root`);
  if (isSystemError(error)) return inputRefusal('io', `cannot read ${name}: ${error.message}`);
  if (error instanceof Error && 'code' in error && /^(Z_|ZSTD_|ERR_.*Z)/.test(String(error.code)))
    return inputRefusal('damaged', `${name} cannot be unpacked: ${error.message}`);
  throw error;
}
