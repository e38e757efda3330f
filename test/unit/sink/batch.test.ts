import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Batch,
  batchOf,
  mergeBatches,
  type NewBatch,
  rangeOf,
  selectEvents,
} from '../../../src/sink/batch.ts';

/** Each event of a batch by its offsets, as text. */
const textsOf = ({ bytes, count, offsets }: NewBatch): string[] =>
  Array.from({ length: count }, (_, index) => bytes.toString('utf8', offsets[index], offsets[index + 1]));

function batch(lines: readonly string[], oldestMs = 1000): Batch {
  const made = batchOf(Buffer.from(lines.join('')), lines.length, oldestMs);
  if (made === null) throw new Error('these are no lines');
  return { id: 7, ...made };
}

/** Events as the batcher writes them: each ends with a line feed and has none inside. */
const lines = fc.array(
  fc.string({ unit: 'binary' }).map((text) => `${text.replaceAll('\n', ' ')}\n`),
  { maxLength: 20 },
);

describe('a batch of bytes', () => {
  test('has an event per line', () => {
    fc.assert(
      fc.property(lines, (events) => {
        const bytes = Buffer.from(events.join(''));
        const made = batchOf(bytes, events.length, 1234);
        expect(made).toMatchObject({ bytes, count: events.length, oldestMs: 1234 });
        expect(made?.offsets).toHaveLength(events.length + 1);
        expect(made && textsOf(made)).toEqual(events);
      }),
    );
  });

  test.each([
    ['fewer lines than events', 'a\nb\n', 3],
    ['more lines than events', 'a\nb\n', 1],
    ['a last line without its end', 'a\nb', 2],
    ['bytes behind the last line', 'a\nb\nc', 2],
    ['no bytes', '', 1],
    ['bytes and no events', 'a\n', 0],
  ])('with %s is none', (_, text, events) => {
    expect(batchOf(Buffer.from(text), events, 0)).toBeNull();
  });
});

describe('several batches as one', () => {
  test('hold all events in order, and are as old as the oldest', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ events: lines, oldestMs: fc.nat() }), { minLength: 1, maxLength: 5 }),
        (parts) => {
          const merged = mergeBatches(parts.map(({ events, oldestMs }) => batch(events, oldestMs)));
          const events = parts.flatMap((part) => part.events);
          expect(merged.count).toBe(events.length);
          expect(merged.offsets).toHaveLength(events.length + 1);
          expect(textsOf(merged)).toEqual(events);
          expect(merged.bytes.toString()).toBe(events.join(''));
          expect(merged.oldestMs).toBe(Math.min(...parts.map(({ oldestMs }) => oldestMs)));
        },
      ),
    );
  });

  test('that are only one are that one, without a copy', () => {
    const only = batch(['a\n']);
    expect(mergeBatches([only])).toBe(only);
  });
});

describe('events chosen from a batch', () => {
  test('are those at the places, in the order that is asked for', () => {
    const chosen = selectEvents(batch(['a\n', 'bb\n', 'ccc\n', '\n'], 99), [3, 1, 2]);
    expect(textsOf(chosen)).toEqual(['\n', 'bb\n', 'ccc\n']);
    expect(chosen).toMatchObject({ id: 7, count: 3, oldestMs: 99 });
    expect(chosen.bytes.toString()).toBe('\nbb\nccc\n');
    expect([...chosen.offsets]).toEqual([0, 1, 4, 8]);
  });

  test('of places that follow each other need only the first, and the one behind the last', () => {
    expect(rangeOf(3, 6)).toEqual([3, 4, 5]);
    expect(rangeOf(3, 3)).toEqual([]);
  });
});
