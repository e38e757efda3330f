import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { parsePageFormat } from '../../../../src/source/decode/format.ts';
import { createCursor, nextRecord, openPage } from '../../../../src/source/decode/page.ts';
import type { TcpRecord } from '../../../../src/source/decode/record.ts';
import { createAddressHider } from '../../../../src/source/recording/kernel-addresses.ts';
import { openReplay } from '../../../../src/source/recording/replay.ts';
import { buildPage, pageHeaderText, type RecordSpec } from '../../../support/page-builder.ts';
import { handlerOf } from '../../../support/record-handler.ts';
import { putTogether, type Recorded, readRecordings } from '../recorded.ts';

const directory = mkdtempSync(join(tmpdir(), 'ktc-addresses-'));
afterAll(() => rmSync(directory, { recursive: true }));

const recordings = readRecordings();
const PAGE_FRAME = 2;

interface Seen {
  /** Sockets and connection requests, in the order of the records. */
  readonly addresses: number[];
  readonly rest: string[];
}

async function replay(path: string): Promise<Seen> {
  const opened = await openReplay(path, (problem) => expect.unreachable(problem));
  if (!opened.ok) throw new Error(opened.problem);
  const seen: Seen = { addresses: [], rest: [] };
  await opened.value.run(
    handlerOf({
      record(record: TcpRecord) {
        const { socket, request, bytes, localAddress, remoteAddress, ...others } = record;
        seen.addresses.push(socket, request);
        seen.rest.push(JSON.stringify(others));
      },
      malformedRecord: () => expect.unreachable(),
      malformedPage: () => expect.unreachable(),
    }),
  );
  return seen;
}

/** The upper 16 bits of each address in a recording; where the kernel has its memory, all of them are ones. */
function upperBits({ frames, events, pages }: Recorded): number[] {
  const { pageFormat } = JSON.parse(frames[0]?.payload.toString() ?? '') as { pageFormat: string };
  const format = parsePageFormat(pageFormat);
  if (format === null) return expect.unreachable();
  const offsets = new Map(
    events.map(({ format: text }) => [
      Number(/^ID: (\d+)/m.exec(text)?.[1]),
      [...text.matchAll(/ \* ?(?:skaddr|skbaddr|req);\toffset:(\d+);/g)].map(([, offset]) => Number(offset)),
    ]),
  );
  const cursor = createCursor({ high: 0, low: 0 });
  const found: number[] = [];
  for (const page of pages) {
    openPage(cursor, format, page);
    while (nextRecord(cursor)) {
      for (const offset of offsets.get(page.readUInt16LE(cursor.record)) ?? [])
        found.push(page.readUInt16LE(cursor.record + offset + 6));
    }
  }
  return found;
}

describe('the addresses of the kernel in a recording', () => {
  it.each(recordings.map((recording) => [recording.name, recording] as const))(
    'are in none of the bundled ones: %s',
    (_, recording) => {
      const found = upperBits(recording);
      expect(found.length).toBeGreaterThan(1_000);
      expect(new Set(found)).toEqual(new Set([0]));
    },
  );

  it.each(recordings.map((recording) => [recording.name, recording] as const))(
    'are hidden, and still tell the sockets apart: %s',
    async (name, recording) => {
      const header = JSON.parse(recording.frames[0]?.payload.toString() ?? '') as { pageFormat: string };
      const hide = createAddressHider(
        header.pageFormat,
        recording.events.map(({ format }) => format),
      );
      const frames = recording.frames.map((frame) => {
        const payload = Buffer.from(frame.payload);
        if (frame.type === PAGE_FRAME) hide(payload);
        return { ...frame, payload };
      });
      const path = join(directory, name);
      writeFileSync(path, gzipSync(putTogether(frames)));
      const [before, after] = [await replay(recording.path), await replay(path)];
      expect(after.rest).toEqual(before.rest);

      const hidden = new Map(before.addresses.map((address, index) => [address, after.addresses[index]]));
      expect(hidden.get(0)).toBe(0);
      expect(hidden.size).toBeGreaterThan(50);
      expect(new Set(hidden.values()).size).toBe(hidden.size);
      expect(after.addresses).toEqual(before.addresses.map((address) => hidden.get(address)));

      hidden.delete(0);
      const pages = frames.filter(({ type }) => type === PAGE_FRAME).map(({ payload }) => payload);
      const pointer = Buffer.alloc(8, 0xff);
      for (const address of hidden.keys()) {
        pointer.writeUIntLE(address, 0, 6);
        expect(pages.some((page) => page.includes(pointer))).toBe(false);
      }
    },
  );

  const FORMAT = [
    'name: any',
    'ID: 7',
    'format:',
    '\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;',
    '\tfield:const void * skaddr;\toffset:8;\tsize:8;\tsigned:0;',
  ].join('\n');
  const SECRET = Buffer.from('f00dfacef00dface', 'hex');
  const payload = Buffer.concat([Buffer.from([7, 0, 0, 0, 0, 0, 0, 0]), SECRET]);
  const record: RecordSpec = { kind: 'data', payload };
  const hiderOf = () => createAddressHider(pageHeaderText(4096), [FORMAT]);
  function hidden(hide: (page: Buffer) => void, records: readonly RecordSpec[]): Buffer {
    const page = buildPage({ timestamp: 1n, records });
    hide(page);
    return page;
  }

  it('are others in another recording', () => {
    const [one, again, other] = [hiderOf(), hiderOf(), hiderOf()];
    expect(hidden(one, [record])).toEqual(hidden(one, [record]));
    expect(hidden(again, [record])).not.toEqual(hidden(other, [record]));
  });

  it('are cleared where a filter discarded the record, behind the last record, and where the page is broken', () => {
    const stale = Buffer.concat([Buffer.alloc(4), SECRET]);
    // A discarded record of 20 bytes, with its length word and what was in it.
    const discarded = Buffer.concat([Buffer.from([29 | (1 << 5), 0, 0, 0, 16, 0, 0, 0]), stale]);
    const padding = Buffer.concat([Buffer.from([29, 0, 0, 0]), stale]);
    const broken = Buffer.concat([Buffer.from([0, 0, 0, 0, 0xff, 0xff, 0, 0]), stale]);
    for (const rest of [padding, broken]) {
      const page = hidden(hiderOf(), [
        { kind: 'raw', bytes: discarded },
        { kind: 'extend', delta: 9n },
        record,
        { kind: 'raw', bytes: discarded },
        record,
        { kind: 'raw', bytes: rest },
      ]);
      expect(page.includes(SECRET)).toBe(false);
      // The records are where they were.
      expect(page.subarray(16 + 20 + 8 + 4, 16 + 20 + 8 + 12)).toEqual(payload.subarray(0, 8));
    }
  });
});
