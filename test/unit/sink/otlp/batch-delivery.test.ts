import { describe, expect, it } from 'vitest';
import type { Verdict } from '../../../../src/sink/otlp/answer/verdict.ts';
import { deliverBatch } from '../../../../src/sink/otlp/batch-delivery.ts';
import { batchOfTexts } from '../../../support/batch.ts';

type Range = readonly [from: number, to: number];

/** Delivers events to a receiver that answers each request by `answer`. */
async function deliver(texts: readonly string[], answer: (range: Range) => Verdict) {
  const ranges: Range[] = [];
  const recycled: Range[] = [];
  const notices: string[] = [];
  const rangeOf = ([from = 0, to = 0]: Uint8Array): Range => [from, to];
  const result = await deliverBatch(batchOfTexts(texts), {
    encoder: {
      encode: (_, from, to) => Uint8Array.of(from, to),
      recycle: (request) => recycled.push(rangeOf(request)),
      empty: new Uint8Array(),
    },
    transport: {
      async send(request) {
        ranges.push(rangeOf(request));
        return answer(rangeOf(request));
      },
    },
    where: 'http://receiver',
    notice: (_, message) => notices.push(message),
  });
  return { result, ranges, recycled, notices };
}

const accepted = (refused = 0): Verdict => ({ kind: 'accepted', refused, message: 'no space' });
const retry: Verdict = { kind: 'retry', reason: 'answers 503', afterMs: 2_000, mayPass: true };
const tooLarge: Verdict = { kind: 'too_large', message: 'answers 413' };
const texts = (count: number) => Array<string>(count).fill('{}');
/** Two of them fit into a request, three do not. */
const LARGE = 'x'.repeat(900_000);

describe('a batch for a receiver of OTLP', () => {
  it('is one request, or as many as its size needs', async () => {
    expect((await deliver(texts(8), () => accepted())).ranges).toEqual([[0, 8]]);
    const large = await deliver([LARGE, LARGE, LARGE, '{}', 'x'.repeat(3_000_000)], () => accepted());
    expect(large.ranges).toEqual([
      [0, 2],
      [2, 4],
      [4, 5],
    ]);
    expect(large.result).toEqual({ refused: [], retry: null });
  });

  it('lets go of the memory of accepted requests only', async () => {
    const { recycled } = await deliver([LARGE, LARGE, LARGE], ([from]) =>
      from === 0 ? accepted() : { kind: 'refused', reason: 'bad_request', message: 'no', isOtlp: true },
    );
    expect(recycled).toEqual([[0, 2]]);
  });

  it('adds up what the receiver refuses without saying which, never more than it was sent', async () => {
    const { result, notices } = await deliver([LARGE, LARGE, LARGE], ([from]) =>
      accepted(from === 0 ? 1 : 7),
    );
    expect(result).toEqual({
      refused: [],
      refusedUnnamed: { count: 2, reason: 'partial_success' },
      retry: null,
    });
    expect(notices).toEqual(Array(2).fill('OTLP receiver http://receiver has refused a part of a batch'));
  });

  it('is halved until the event that is too large is alone', async () => {
    const { result, ranges } = await deliver(texts(4), ([from, to]) =>
      from <= 2 && to > 2 ? tooLarge : accepted(),
    );
    expect(result).toEqual({ refused: [{ index: 2, reason: 'message_too_large' }], retry: null });
    expect(ranges).toEqual([
      [0, 4],
      [0, 2],
      [2, 4],
      [2, 3],
      [3, 4],
    ]);
  });

  it('ends at the first request that has to be sent again, and gives back the rest', async () => {
    const { result, ranges } = await deliver(texts(8), ([from, to]) => {
      if (to - from > 2) return tooLarge;
      return from < 4 ? accepted() : retry;
    });
    expect(result.retry).toEqual({ events: [4, 5, 6, 7], afterMs: 2_000, reason: 'answers 503' });
    expect(ranges.at(-1)).toEqual([4, 6]);
    expect((await deliver(texts(2), () => retry)).result.retry?.events).toBe('rest');
  });

  it('is refused as a whole when the receiver says so', async () => {
    const { result } = await deliver(texts(2), () => ({
      kind: 'refused',
      reason: 'bad_request',
      message: 'answers 400',
      isOtlp: true,
    }));
    expect(result.refused).toEqual([
      { index: 0, reason: 'bad_request' },
      { index: 1, reason: 'bad_request' },
    ]);
  });
});
