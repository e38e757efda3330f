import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import Decoder from 'kafkajs/src/protocol/decoder.js';
import decodeBatch from 'kafkajs/src/protocol/recordBatch/v0/decoder.js';
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../../src/sink/batch.ts';
import { createCodec } from '../../../../src/sink/kafka/codec.ts';
import { crc32c } from '../../../../src/sink/kafka/crc32c.ts';
import {
  createRecordEncoder,
  frameBatch,
  NOT_IDEMPOTENT,
  nextSequence,
  type Producer,
  type RecordBounds,
} from '../../../../src/sink/kafka/record-batch.ts';
import { createKeyOf, type KeyOf, type RecordKey } from '../../../../src/sink/kafka/record-key.ts';
import { batchOf, batchOfTexts, sampleEvents } from '../../../support/batch.ts';

const SINGLY = { maxEvents: 1, maxBytes: 1 };
const HOST = 'db-17.example.net';

interface Options {
  readonly key?: RecordKey;
  readonly bounds?: RecordBounds;
  readonly producer?: Producer;
  readonly sequence?: number;
  readonly indexes?: number[];
}

const recordsOf = (batch: Batch, bounds: RecordBounds = SINGLY) =>
  createRecordEncoder(
    createKeyOf('host', HOST),
    bounds,
    createCodec('none', 1),
  )(batch, Uint32Array.from([...Array(batch.count).keys()]));

/** What kafkajs's own decoder, which a consumer uses, makes of it. */
async function read(batch: Batch, options: Options = {}) {
  const { key = 'host', bounds = SINGLY, producer = { id: 77n, epoch: 3 }, sequence = 5 } = options;
  const encode = createRecordEncoder(createKeyOf(key, HOST), bounds, createCodec('none', 1));
  const indexes = options.indexes ?? [...Array(batch.count).keys()];
  const records = encode(batch, Uint32Array.from(indexes));
  const frame = frameBatch(records, 1_790_000_000_123, producer, sequence);
  const { records: found, ...head } = await decodeBatch(new Decoder(frame));
  return {
    head,
    keys: found.map((record) => record.key.toString()),
    values: found.map((record) => record.value.toString()),
    offsets: found.map((record) => record.offset),
    frame,
  };
}

describe('crc32c', () => {
  it('gives what RFC 3720 lists', () => {
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, index) => index)))).toBe(0x46dd794e);
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });

  it('of a part is that of a copy of the part', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(50), fc.nat(50), (bytes, start, length) => {
        const [from, to] = [Math.min(start, bytes.length), Math.min(start + length, bytes.length)];
        expect(crc32c(bytes, from, to)).toBe(crc32c(bytes.slice(from, to)));
      }),
    );
  });
});

describe('a record batch', () => {
  it('holds one record an event, with its key, in order', async () => {
    const events = sampleEvents(300);
    const { keys, values, offsets } = await read(batchOf(events), { key: 'event_id' });
    expect(values).toEqual(events.map((event) => JSON.stringify(event)));
    expect(keys).toEqual(events.map(({ event_id }) => event_id));
    expect(offsets).toEqual(events.map((_, index) => String(index)));
  });

  it('carries who sends, from where in the sequence, when, and its checksum', async () => {
    const { head, frame } = await read(batchOf(sampleEvents(3)));
    expect(head).toMatchObject({
      firstOffset: '0',
      firstTimestamp: '1790000000123',
      maxTimestamp: '1790000000123',
      lastOffsetDelta: 2,
      producerId: '77',
      producerEpoch: 3,
      firstSequence: 5,
    });
    expect(frame.readInt32BE(8)).toBe(frame.length - 12);
    expect(frame.readUInt32BE(17)).toBe(crc32c(frame, 21));
  });

  it('has the format, the compression and the unknowns of a producer where the protocol has them', async () => {
    const { frame } = await read(batchOf(sampleEvents(3)));
    const fields = {
      baseOffset: frame.readBigInt64BE(0),
      leaderEpoch: frame.readInt32BE(12),
      magic: frame.readInt8(16),
      attributes: frame.readInt16BE(21),
      records: frame.readInt32BE(57),
    };
    expect(fields).toEqual({ baseOffset: 0n, leaderEpoch: -1, magic: 2, attributes: 0, records: 3 });
    const zstd = { ...(await recordsOf(batchOf(sampleEvents(1)))), codec: 4 };
    expect(frameBatch(zstd, 0, NOT_IDEMPOTENT, -1).readInt16BE(21)).toBe(4);
  });

  it('has records without headers', async () => {
    // The number of headers is the last byte of a record, and the line feed of its event was there before.
    for (const bounds of [SINGLY, { maxEvents: 10, maxBytes: 10_000 }]) {
      const { bytes } = await recordsOf(batchOf(sampleEvents(1)), bounds);
      expect(bytes.at(-1)).toBe(0);
    }
  });

  it('takes the key of each record from its first event, without the line feed', async () => {
    const asked: string[] = [];
    const keyOf: KeyOf = (bytes, start, end) => {
      asked.push(bytes.toString('utf8', start, end));
      return Buffer.from('k');
    };
    const encode = createRecordEncoder(keyOf, { maxEvents: 2, maxBytes: 100 }, createCodec('none', 1));
    encode(batchOfTexts(['"a"', '"b"', '"c"']), Uint32Array.of(0, 1, 2));
    expect(asked).toEqual(['"a"', '"c"']);
  });

  it('of no idempotent producer says so', async () => {
    const { head } = await read(batchOf(sampleEvents(1)), { producer: NOT_IDEMPOTENT, sequence: -1 });
    expect(head).toMatchObject({ producerId: '-1', producerEpoch: -1, firstSequence: -1 });
  });

  it('holds only the events it is asked for', async () => {
    const events = sampleEvents(10);
    const { values } = await read(batchOf(events), { indexes: [1, 4, 9] });
    expect(values).toEqual([1, 4, 9].map((index) => JSON.stringify(events[index])));
  });

  it('packs whole events within both bounds, one a line, whatever their sizes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ maxLength: 300 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 700 }),
        async (strings, maxEvents, maxBytes) => {
          const texts = strings.map((string) => JSON.stringify(string));
          const { keys, values } = await read(batchOfTexts(texts), { bounds: { maxEvents, maxBytes } });
          expect(values.join('\n')).toBe(texts.join('\n'));
          expect(new Set(keys)).toEqual(new Set([HOST]));
          for (const value of values) {
            const lines = value.split('\n').length;
            expect(lines).toBeLessThanOrEqual(maxEvents);
            if (lines > 1) expect(Buffer.byteLength(value)).toBeLessThanOrEqual(maxBytes);
          }
          // None that would have fitted into the one before it.
          for (const [index, value] of values.entries()) {
            const before = values[index - 1];
            const first = value.split('\n')[0] ?? '';
            if (before === undefined || before.split('\n').length === maxEvents) continue;
            expect(Buffer.byteLength(before) + 1 + Buffer.byteLength(first)).toBeGreaterThan(maxBytes);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it('packs events into one record that fit to the byte, and not one byte more', async () => {
    const texts = ['"aa"', '"bbb"'];
    const bytes = texts.join('\n').length;
    const valuesWithin = async (maxBytes: number) =>
      (await read(batchOfTexts(texts), { bounds: { maxEvents: 10, maxBytes } })).values;
    expect(await valuesWithin(bytes)).toEqual([texts.join('\n')]);
    expect(await valuesWithin(bytes - 1)).toEqual(texts);
  });

  it('writes lengths of every size', async () => {
    const texts = [0, 60, 61, 62, 63, 64, 8189, 8190, 8191, 8192, 1_048_575, 1_048_576, 2_100_000].map(
      (size) => JSON.stringify('x'.repeat(size)),
    );
    expect((await read(batchOfTexts(texts))).values).toEqual(texts);
  });
});

describe('compression', () => {
  it.each([
    ['none', 0, (bytes: Buffer) => bytes],
    ['gzip', 1, gunzipSync],
    ['zstd', 4, zstdDecompressSync],
  ] as const)('%s gives a whole stream at every call', (name, number, decompress) => {
    const codec = createCodec(name, 1);
    expect(codec.number).toBe(number);
    for (const count of [1, 400, 3, 2_000]) {
      const bytes = batchOf(sampleEvents(count)).bytes;
      expect(decompress(codec.compress(bytes)).equals(bytes)).toBe(true);
    }
  });

  it.each(['gzip', 'zstd'] as const)('%s minds the level', (name) => {
    const { bytes } = batchOf(sampleEvents(500));
    const [quick, small] = [1, 9].map((level) => createCodec(name, level).compress(bytes).length);
    expect(quick).not.toBe(small);
  });
});

describe('sequence numbers', () => {
  it('start again after 2^31 - 1', () => {
    expect(nextSequence(0, 500)).toBe(500);
    expect(nextSequence(2 ** 31 - 500, 499)).toBe(2 ** 31 - 1);
    expect(nextSequence(2 ** 31 - 500, 500)).toBe(0);
    expect(nextSequence(2 ** 31 - 1, 3)).toBe(2);
  });
});
