/**
 * Mutated pages by the million: whatever is on a page, the decoder neither throws, nor reads outside, nor hangs.
 * The seed is fixed, so a page that fails fails again; KTC_FUZZ_SEED takes another.
 */
import { expect, it } from 'vitest';
import { epochAt } from '../../../../src/source/clock.ts';
import { parseEventFormat, parsePageFormat } from '../../../../src/source/decode/format.ts';
import { createCursor, missedBefore, nextRecord, openPage } from '../../../../src/source/decode/page.ts';
import { compileReader, type RecordReader } from '../../../../src/source/decode/reader.ts';
import type { TcpRecord } from '../../../../src/source/decode/record.ts';
import { createStreams } from '../../../../src/source/merge.ts';
import { buildPage, pageHeaderText, type RecordSpec } from '../../../support/page-builder.ts';
import { handlerOf } from '../../../support/record-handler.ts';
import { readRecordings } from '../recorded.ts';

const SEED = Number(process.env['KTC_FUZZ_SEED'] ?? 20_261_124);
const PAGES = 1_000_000;
const PAGES_THROUGH_STREAMS = 300_000;
/** A mutated page is compared with its own copy among other neighbours this often. */
const COMPARE_EVERY = 8;
const SIZE = 4096;
const DATA_START = 16;
const CPUS = 4;

type Random = (below: number) => number;

/** mulberry32: 32 bits of state, the same everywhere. */
function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function builtPages(types: readonly number[], random: Random): Buffer[] {
  const record = (): RecordSpec => {
    switch (random(8)) {
      case 0:
        return { kind: 'discarded', bytes: 8 + 4 * random(30), delta: 1 + random(1000) };
      case 1:
        return { kind: 'extend', delta: BigInt(random(2 ** 31)) << 20n };
      case 2:
        return { kind: 'stamp', time: BigInt(random(2 ** 31)) << 20n };
      default: {
        const payload = Buffer.alloc(4 + 4 * random(40), random(256));
        payload.writeUInt16LE(types[random(types.length)] ?? 0);
        return { kind: 'data', payload, delta: random(2 ** 27), lengthWord: random(2) === 0 };
      }
    }
  };
  return Array.from({ length: 200 }, (_, index) =>
    buildPage({
      timestamp: BigInt(random(2 ** 31)) << BigInt(random(33)),
      records: [
        ...Array.from({ length: 1 + random(20) }, record),
        ...(index % 3 ? [] : [{ kind: 'end' } as const]),
      ],
      ...(index % 3 === 1 && { missed: random(1000) }),
    }),
  );
}

/** Copies a page to `target` and damages it; the length that is left of it. */
function mutate(source: Buffer, target: Buffer, random: Random): number {
  source.copy(target);
  let length = Math.min(source.length, target.length);
  const word = () => 4 * random(length >> 2);
  for (let mutations = 1 + random(4); mutations > 0; mutations--) {
    switch (random(9)) {
      case 0:
        target[random(length)] = random(256);
        break;
      case 1: {
        const at = random(length);
        target[at] = (target[at] ?? 0) ^ (1 << random(8));
        break;
      }
      case 2:
        // Near the start, where every record is that comes to be read.
        target.writeUInt32LE(random(2 ** 32), DATA_START + 4 * random(32));
        break;
      case 3:
        // Any type, with and without a delta.
        target.writeUInt32LE((random(32) | (random(2) * random(2 ** 27) * 32)) >>> 0, word());
        break;
      case 4:
        // Lengths near every edge.
        target.writeUInt32LE((random(2) * SIZE + random(24) - 12) >>> 0, word());
        break;
      case 5:
        // The committed length and its flags.
        target.writeUInt32LE(random(2) === 0 ? random(2 ** 32) : random(SIZE + 8), 8);
        break;
      case 6: {
        const at = word();
        target.copy(target, at, word(), word());
        break;
      }
      case 7: {
        const end = word();
        for (let at = word(); at < end; at++) target[at] = random(256);
        break;
      }
      default:
        length = random(4) === 0 ? random(length + 1) : length;
        if (length < 40) return length;
    }
  }
  return length;
}

const recordings = readRecordings();
const format = parsePageFormat(pageHeaderText(SIZE));
if (format === null) throw new Error('the page header is not understood');

const readers = new Map<number, RecordReader>();
for (const { probe, format: text } of recordings.flatMap(({ events }) => events)) {
  const event = parseEventFormat(text);
  const compiled = event === null ? null : compileReader(probe, event);
  if (event === null || compiled?.ok !== true) throw new Error(`the format of ${probe} is not understood`);
  readers.set(event.id, compiled.value);
}

function corpus(random: Random): Buffer[] {
  return [...recordings.flatMap(({ pages }) => pages), ...builtPages([...readers.keys(), 5], random)];
}

/** A page in the middle of a larger buffer: what is around it is the neighbours'. */
const arena = Buffer.alloc(3 * SIZE, 0xa5);
const slot = arena.subarray(SIZE, 2 * SIZE);
const alone = Buffer.alloc(SIZE);

/** One number of all that the decoder says about a page. Throws where that cannot be true. */
function decode(page: Buffer, cursor: ReturnType<typeof createCursor>): number {
  if (format === null) throw new Error('no format');
  openPage(cursor, format, page);
  let records = 0;
  let digest = 0;
  let last = DATA_START;
  while (nextRecord(cursor)) {
    const { record, length, end, position } = cursor;
    const inside = record >= last + 4 && length >= 0 && record + length <= end && end <= page.length;
    if (!inside || position <= last || !Number.isFinite(cursor.time)) {
      throw new Error(
        `record at ${record} of ${length} bytes after ${last}, end ${end}, page ${page.length}`,
      );
    }
    last = position;
    if (++records > page.length / 4) throw new Error(`more than ${records} records on a page`);
    digest = (Math.imul(digest, 31) + record * 8 + length + (cursor.time % 65_521)) | 0;
  }
  if (nextRecord(cursor)) throw new Error('a record after the last');
  missedBefore(format, page);
  return digest * 2 + (cursor.malformed ? 1 : 0);
}

it(`decodes ${PAGES.toLocaleString('en')} mutated pages within their bounds`, () => {
  const random = createRandom(SEED);
  const pages = corpus(random);
  const cursor = createCursor(epochAt(0n));
  let malformed = 0;
  const from = performance.now();
  for (let count = 0; count < PAGES; count++) {
    const length = mutate(pages[random(pages.length)] ?? alone, slot, random);
    const digest = decode(slot.subarray(0, length), cursor);
    malformed += digest & 1;
    if (count % COMPARE_EVERY === 0) {
      // The same page with nothing around it and nothing behind its records: other neighbours change nothing.
      const end = cursor.end;
      slot.copy(alone, 0, 0, length);
      if (!cursor.malformed) alone.fill(count, end);
      const again = decode(alone.subarray(0, length), cursor);
      if (again !== digest) throw new Error(`page ${count} of seed ${SEED} depends on what is around it`);
    }
  }
  const seconds = (performance.now() - from) / 1000;
  process.stdout.write(
    `page fuzz: seed ${SEED}, ${Math.round(PAGES / seconds).toLocaleString('en')} pages/s, ` +
      `${((malformed / PAGES) * 100).toFixed(1)} % malformed\n`,
  );
  // Both kinds must be there, or the mutations prove nothing.
  expect(malformed / PAGES).toBeGreaterThan(0.1);
  expect(malformed / PAGES).toBeLessThan(0.9);
});

it(`takes ${PAGES_THROUGH_STREAMS.toLocaleString('en')} of them to the handler`, () => {
  const random = createRandom(SEED + 1);
  const pages = corpus(random);
  let records = 0;
  let malformedRecords = 0;
  let malformedPages = 0;
  let released = 0;
  const handler = handlerOf({
    record({
      bytes,
      localAddress,
      remoteAddress,
      addressLength,
      localPort,
      remotePort,
      oldState,
    }: TcpRecord) {
      records++;
      const end = Math.max(localAddress, remoteAddress) + addressLength;
      const inside = end <= bytes.length && Math.min(localAddress, remoteAddress) >= DATA_START;
      const ports = localPort >= 0 && localPort <= 0xffff && remotePort >= 0 && remotePort <= 0xffff;
      if (!inside || !ports || oldState > 12) throw new Error(`a record outside its page, up to ${end}`);
    },
    malformedRecord: () => malformedRecords++,
    malformedPage: () => malformedPages++,
  });
  const streams = createStreams({
    cpus: CPUS,
    epoch: epochAt(0n),
    pageFormat: format,
    readers,
    filters: new Map(),
    taskReaders: new Map(),
    tasks: { began() {}, renamed() {}, lost() {} },
    release: () => released++,
  });
  const slots = Array.from({ length: CPUS }, () => Buffer.alloc(SIZE));
  const from = performance.now();
  for (let count = 0; count < PAGES_THROUGH_STREAMS; count += CPUS) {
    for (const [cpu, page] of slots.entries()) {
      // A page of no bytes at all never comes from read(2).
      const length = Math.max(1, mutate(pages[random(pages.length)] ?? page, page, random));
      streams.push(cpu, page.subarray(0, length));
    }
    streams.give(random(3) === 0 ? random(2 ** 31) * 4096 : Number.POSITIVE_INFINITY, handler);
    streams.give(Number.POSITIVE_INFINITY, handler);
  }
  const seconds = (performance.now() - from) / 1000;
  process.stdout.write(
    `page fuzz through the streams: ${Math.round(PAGES_THROUGH_STREAMS / seconds).toLocaleString('en')} pages/s, ` +
      `${records} records, ${malformedRecords} malformed, ${malformedPages} pages malformed\n`,
  );
  expect(released).toBe(PAGES_THROUGH_STREAMS);
  expect(records).toBeGreaterThan(PAGES_THROUGH_STREAMS);
  expect(malformedRecords).toBeGreaterThan(1_000);
  expect(malformedPages).toBeGreaterThan(PAGES_THROUGH_STREAMS * 0.1);
});
