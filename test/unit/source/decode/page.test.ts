import { describe, expect, it } from 'vitest';
import { epochAt } from '../../../../src/source/clock.ts';
import { type PageFormat, parsePageFormat } from '../../../../src/source/decode/format.ts';
import {
  createCursor,
  MISSED_UNKNOWN,
  missedBefore,
  nextRecord,
  openPage,
} from '../../../../src/source/decode/page.ts';
import { buildPage, type PageSpec, pageHeaderText, type RecordSpec } from '../../../support/page-builder.ts';

const DAY_NS = 86_400_000_000_000n;

function formatOf(size: number): PageFormat {
  const format = parsePageFormat(pageHeaderText(size));
  if (format === null) throw new Error('the page header is not understood');
  return format;
}

interface Read {
  readonly records: { readonly time: number; readonly payload: Buffer }[];
  readonly malformed: boolean;
}

function read(page: Buffer, epoch = 0n, format = formatOf(page.length)): Read {
  const cursor = createCursor(epochAt(epoch));
  const records: { time: number; payload: Buffer }[] = [];
  openPage(cursor, format, page);
  while (nextRecord(cursor)) {
    records.push({ time: cursor.time, payload: page.subarray(cursor.record, cursor.record + cursor.length) });
  }
  return { records, malformed: cursor.malformed };
}

function readSpec(spec: Partial<PageSpec> & Pick<PageSpec, 'records'>, epoch = 0n): Read {
  return read(buildPage({ timestamp: 1_000n, ...spec }), epoch);
}

const data = (text: string, delta = 0): RecordSpec => ({ kind: 'data', payload: Buffer.from(text), delta });
const texts = ({ records }: Read) => records.map(({ payload }) => payload.toString());
const times = ({ records }: Read) => records.map(({ time }) => time);

describe('records', () => {
  it('of 4 to 112 bytes have their length in the header', () => {
    for (const bytes of [4, 8, 56, 108, 112]) {
      const { records, malformed } = readSpec({ records: [data('x'.repeat(bytes), 7)] });
      expect(records).toEqual([{ time: 1_007, payload: Buffer.from('x'.repeat(bytes)) }]);
      expect(malformed).toBe(false);
    }
  });

  it('with a length word begin behind it, whatever their length', () => {
    for (const bytes of [4, 112, 116, 4072]) {
      const payload = Buffer.alloc(bytes, 'y');
      const result = readSpec({ records: [{ kind: 'data', payload, delta: 3, lengthWord: true }] });
      expect(result).toEqual({ records: [{ time: 1_003, payload }], malformed: false });
    }
  });

  it('follow each other, each later by its own delta', () => {
    const result = readSpec({ records: [data('aaaa', 0), data('bbbb', 5), data('cccccccc', 2 ** 27 - 1)] });
    expect(texts(result)).toEqual(['aaaa', 'bbbb', 'cccccccc']);
    expect(times(result)).toEqual([1_000, 1_005, 1_005 + 2 ** 27 - 1]);
  });

  it('that were discarded are passed over, but their time counts', () => {
    const discarded: RecordSpec = { kind: 'discarded', bytes: 40, delta: 9 };
    const result = readSpec({ records: [data('aaaa'), discarded, data('bbbb', 1)] });
    expect(texts(result)).toEqual(['aaaa', 'bbbb']);
    expect(times(result)).toEqual([1_000, 1_010]);
    expect(result.malformed).toBe(false);
  });

  it('end where the padding begins, whatever is behind it', () => {
    const result = readSpec({ records: [data('aaaa'), { kind: 'end' }] });
    expect(texts(result)).toEqual(['aaaa']);
    expect(result.malformed).toBe(false);
  });

  it('end at the committed length, whatever is behind it', () => {
    const result = readSpec({ records: [data('aaaa'), data('bbbb')], committed: 8 });
    expect(texts(result)).toEqual(['aaaa']);
    expect(result.malformed).toBe(false);
  });

  it('are none on a page on which nothing is committed', () => {
    expect(readSpec({ records: [] })).toEqual({ records: [], malformed: false });
  });

  it('are none on a page that is only its header, and before any page is opened', () => {
    const header = buildPage({ timestamp: 1n, records: [] }).subarray(0, 16);
    expect(read(header, 0n, formatOf(4096))).toEqual({ records: [], malformed: false });
    const cursor = createCursor(epochAt(0n));
    expect([nextRecord(cursor), cursor.malformed]).toEqual([false, false]);
  });

  it('may have no bytes', () => {
    const empty: RecordSpec = { kind: 'data', payload: Buffer.alloc(0), delta: 4, lengthWord: true };
    const { records, malformed } = readSpec({ records: [empty, data('aaaa', 1)] });
    expect(records).toEqual([
      { time: 1_004, payload: Buffer.alloc(0) },
      { time: 1_005, payload: Buffer.from('aaaa') },
    ]);
    expect(malformed).toBe(false);
  });

  it.each<[string, RecordSpec]>([
    ['padding', { kind: 'raw', bytes: Buffer.of(29, 0, 0, 0) }],
    ['a time extend', { kind: 'extend', delta: 5n }],
    ['a time stamp', { kind: 'stamp', time: 2_000n }],
    ['a discarded record', { kind: 'discarded', bytes: 8 }],
  ])('may be followed by %s that ends with the committed length', (_, last) => {
    const result = readSpec({ records: [data('aaaa'), last] });
    expect(texts(result)).toEqual(['aaaa']);
    expect(result.malformed).toBe(false);
  });

  it('are read from pages of other sizes', () => {
    for (const size of [8_192, 65_536]) {
      const payload = Buffer.alloc(size - 16 - 8, 'z');
      const page = buildPage({ timestamp: 5n, size, records: [{ kind: 'data', payload }] });
      expect(read(page)).toEqual({ records: [{ time: 5, payload }], malformed: false });
    }
  });

  it('begin where header_page says, as on 32-bit kernels', () => {
    const format = parsePageFormat(
      pageHeaderText(4096)
        .replace('offset:8;\tsize:8', 'offset:8;\tsize:4')
        .replace('offset:16;\tsize:4080', 'offset:12;\tsize:4084'),
    );
    if (format === null) throw new Error('the page header is not understood');
    const wide = buildPage({ timestamp: 50n, records: [data('aaaa', 1)] });
    const page = Buffer.concat([wide.subarray(0, 12), wide.subarray(16), Buffer.alloc(4)]);
    expect(read(page, 0n, format)).toEqual({
      records: [{ time: 51, payload: Buffer.from('aaaa') }],
      malformed: false,
    });
  });
});

describe('times', () => {
  it('are extended by what a delta cannot hold', () => {
    const gap = 3_600_000_000_000n;
    const result = readSpec({ records: [data('aaaa'), { kind: 'extend', delta: gap }, data('bbbb')] });
    expect(times(result)).toEqual([1_000, 1_000 + Number(gap)]);
  });

  it('are set by a time stamp', () => {
    const time = 12_345_678_901_234n;
    const result = readSpec({ records: [data('aaaa'), { kind: 'stamp', time }, data('bbbb')] });
    expect(times(result)).toEqual([1_000, Number(time)]);
  });

  it('keep the five upper bits that a time stamp has not', () => {
    const base = (0b10101n << 59n) + 5_000_000_000n;
    const result = readSpec(
      { timestamp: base, records: [data('aaaa'), { kind: 'stamp', time: base + 77n }, data('bbbb', 1)] },
      base - 1_000n,
    );
    expect(times(result)).toEqual([1_000, 1_078]);
  });

  it('keep the five upper bits of an epoch that began with them', () => {
    // The page is younger than the epoch, and both than the moment at which the upper bits changed.
    const epoch = (0b10101n << 59n) + 10_000n;
    const result = readSpec(
      { timestamp: epoch + 5n, records: [{ kind: 'stamp', time: epoch + 77n }, data('bbbb')] },
      epoch,
    );
    expect(times(result)).toEqual([77]);
  });

  it('are exact to the nanosecond on hosts that are up for years', () => {
    for (const uptime of [103n, 105n, 4_000n, 200_000n]) {
      const epoch = uptime * DAY_NS + 123n;
      const time = epoch + 50n * DAY_NS + 7n;
      const result = readSpec(
        { timestamp: time, records: [data('aaaa'), { kind: 'stamp', time: time + 2n }, data('bbbb')] },
        epoch,
      );
      expect(times(result)).toEqual([Number(time - epoch), Number(time - epoch) + 2]);
    }
  });

  it('are exact on either side of where the lower word of the clock begins anew', () => {
    const edge = 7n << 32n;
    for (const epoch of [edge - 1n, edge, edge + 1n, edge - 5_000n, edge + 5_000n]) {
      for (const time of [edge - 1n, edge, edge + 1n]) {
        const result = readSpec(
          { timestamp: time, records: [data('aaaa'), { kind: 'stamp', time: time + 1n }, data('bbbb')] },
          epoch,
        );
        expect(times(result)).toEqual([Number(time - epoch), Number(time - epoch) + 1]);
      }
    }
  });

  it('are negative before the epoch, as those of a taken-over instance are', () => {
    const epoch = 30n * DAY_NS;
    const time = epoch - 10n * DAY_NS - 3n;
    const result = readSpec(
      { timestamp: time, records: [data('aaaa', 1), { kind: 'stamp', time: time + 9n }, data('bbbb')] },
      epoch,
    );
    expect(times(result)).toEqual([Number(time - epoch) + 1, Number(time - epoch) + 9]);
  });
});

describe('a malformed page', () => {
  const good = data('aaaa');
  const word = (value: number): RecordSpec => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return { kind: 'raw', bytes };
  };

  it.each<[string, readonly RecordSpec[], number?]>([
    ['has a record that is longer than the committed rest', [good, data('b'.repeat(40))], 8 + 40],
    ['has a length word that is longer than the page', [good, word(0), word(5_000)]],
    ['has a length word that is longer than any page', [good, word(0), word(0xffff_ffff)]],
    ['has a length that does not count its own word', [good, word(0), word(3)]],
    ['has a length of nothing', [good, word(0), word(0)]],
    ['ends before a length word', [good, word(0)]],
    ['ends within a time extend', [good, word(30)]],
    ['ends within a time stamp', [good, word(31)]],
    ['has a discarded record that is longer than the page', [good, word(29 + 32), word(4_090)]],
    ['has a discarded record without a length', [good, word(29 + 32), word(0)]],
    ['ends within a word', [good, word(1)], 8 + 3],
    ['ends within a word that could be padding', [good, word(29)], 8 + 3],
  ])('%s: what is before it is read, nothing behind it', (_, records, committed) => {
    const result = readSpec({ records, ...(committed !== undefined && { committed }) });
    expect(texts(result)).toEqual(['aaaa']);
    expect(result.malformed).toBe(true);
  });

  it('says that more is committed than it holds', () => {
    expect(readSpec({ records: [good], committed: 4_081 })).toEqual({ records: [], malformed: true });
    // One byte less is all of the page, whose zeros are no records.
    expect(texts(readSpec({ records: [good], committed: 4_080 }))).toEqual(['aaaa']);
  });

  it('is cut off anywhere', () => {
    const page = buildPage({ timestamp: 0n, records: [data('aaaa'), data('bbbb')] });
    for (let length = 0; length < 16 + 16; length++) {
      const result = read(page.subarray(0, length), 0n, formatOf(4096));
      expect(result).toEqual({ records: [], malformed: true });
    }
  });

  it('leaves no trace on the next', () => {
    const cursor = createCursor(epochAt(0n));
    openPage(cursor, formatOf(4096), Buffer.alloc(3));
    expect([nextRecord(cursor), cursor.malformed]).toEqual([false, true]);
    openPage(cursor, formatOf(4096), buildPage({ timestamp: 4n, records: [good] }));
    expect([nextRecord(cursor), cursor.time, cursor.length]).toEqual([true, 4, 4]);
    expect([nextRecord(cursor), cursor.malformed]).toEqual([false, false]);
  });
});

describe('records missed before a page', () => {
  const missedOn = (spec: Partial<PageSpec>) =>
    missedBefore(formatOf(4096), buildPage({ timestamp: 0n, records: [data('aaaa')], ...spec }));

  it('are none without the mark', () => expect(missedOn({})).toBe(0));
  it('are as many as the kernel stored behind the records', () => {
    expect(missedOn({ missed: 1 })).toBe(1);
    expect(missedOn({ missed: 4_294_967_295 })).toBe(4_294_967_295);
  });
  it('are unknown without a count', () => expect(missedOn({ missed: 'unknown' })).toBe(MISSED_UNKNOWN));
  it('are no number of records where they are unknown', () => expect(MISSED_UNKNOWN).toBeLessThan(0));
  it('are as many as the last word of a page says, where the records end before it', () => {
    const payload = Buffer.alloc(4_080 - 8 - 4, 'z');
    const page = buildPage({ timestamp: 0n, records: [{ kind: 'data', payload }], missed: 'unknown' });
    page.writeUInt32LE((page.readUInt32LE(8) | (1 << 30)) >>> 0, 8);
    page.writeUInt32LE(9, 4_092);
    expect(missedBefore(formatOf(4096), page)).toBe(9);
  });
  it('do not hide the records', () => {
    for (const missed of [12, 'unknown'] as const) {
      const result = readSpec({ records: [data('aaaa'), data('bbbb')], missed });
      expect(texts(result)).toEqual(['aaaa', 'bbbb']);
      expect(result.malformed).toBe(false);
    }
  });
  it('are not looked for behind the end of a page', () => {
    const page = buildPage({ timestamp: 0n, records: [data('aaaa')], missed: 7 });
    page.writeUInt32LE((0xc000_0000 + 4_080) >>> 0, 8);
    expect(missedBefore(formatOf(4096), page)).toBe(MISSED_UNKNOWN);
    expect(missedBefore(formatOf(4096), page.subarray(0, 16))).toBe(MISSED_UNKNOWN);
    // A page that is cut off within its header says nothing.
    for (let length = 0; length < 16; length++)
      expect(missedBefore(formatOf(4096), page.subarray(0, length))).toBe(0);
  });
});
