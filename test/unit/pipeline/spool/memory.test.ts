import * as fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createLedger } from '../../../../src/ledger/ledger.ts';
import { openMemorySpool } from '../../../../src/pipeline/spool/open.ts';
import type { Batch } from '../../../../src/sink/batch.ts';
import { batchOfTexts } from '../../../support/batch.ts';
import { textsOf } from '../scripted-sink.ts';

describe('in memory', () => {
  const openMemory = (maxBytes: number) => {
    const ledger = createLedger(['a', 'b']);
    const { spool, readers } = openMemorySpool(ledger.sinks, maxBytes, fs);
    const [a, b] = [...readers.values()];
    if (a === undefined || b === undefined) throw new Error('no readers');
    return { spool, a, b };
  };

  test('every reader gets every batch in order, and bytes count until all have settled', () => {
    const { spool, a, b } = openMemory(10);
    spool.append(batchOfTexts(['aaa']), null);
    expect([spool.bytes, spool.full]).toEqual([4, false]);
    spool.append(batchOfTexts(['bbbbb']), null);
    expect([spool.bytes, spool.full]).toEqual([10, true]);
    const limits = { maxEvents: 1, maxBytes: 1 };
    const taken = [a, b].map((reader) => [reader.take(limits), reader.take(limits)]);
    expect(taken.map((batches) => batches.map((batch) => batch && textsOf(batch)))).toEqual([
      [['aaa'], ['bbbbb']],
      [['aaa'], ['bbbbb']],
    ]);
    expect([a.take(limits), b.take(limits)]).toEqual([null, null]);
    const settle = (reader: typeof a, batch: Batch | null | undefined) => batch && reader.settle(batch);
    settle(a, taken[0]?.[1]);
    settle(a, taken[0]?.[0]);
    settle(b, taken[1]?.[1]);
    expect([spool.bytes, spool.full]).toEqual([10, true]);
    settle(b, taken[1]?.[0]);
    expect([spool.bytes, spool.full]).toEqual([0, false]);
  });

  test('without a reader, for whom nobody would settle it, nothing is kept', () => {
    const { spool } = openMemorySpool({}, 10, fs);
    spool.append(batchOfTexts(['x'.repeat(20)]), null);
    expect([spool.bytes, spool.full]).toEqual([0, false]);
  });

  test('small batches that wait are taken as one, within the limits', () => {
    const { spool, a } = openMemory(1 << 20);
    for (const text of ['1', '22', '333', '4']) spool.append(batchOfTexts([text, text]), null);
    const take = (maxEvents: number, maxBytes: number) => {
      const batch = a.take({ maxEvents, maxBytes });
      return batch && textsOf(batch);
    };
    expect(take(5, 1 << 20)).toEqual(['1', '1', '22', '22']);
    expect(take(100, 8)).toEqual(['333', '333']);
    expect(take(1, 1)).toEqual(['4', '4']);
    expect(take(1, 1)).toBeNull();
  });
});
