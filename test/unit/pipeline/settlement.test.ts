import { expect, test } from 'vitest';
import { emit, take } from '../../../src/ledger/booking.ts';
import { createLedger } from '../../../src/ledger/ledger.ts';
import { bookAnswer, settlementOf } from '../../../src/pipeline/settlement.ts';
import { ACKNOWLEDGED, retryAll, type SendResult } from '../../../src/sink/sink.ts';
import { batchOfTexts } from '../../support/batch.ts';
import { textsOf } from './scripted-sink.ts';

const batch = batchOfTexts(['a', 'b', 'c', 'd', 'e']);
const refused = [{ index: 1, reason: 'invalid_record' }] as const;
const refusedUnnamed = { count: 2, reason: 'partial_success' } as const;

function settle(result: SendResult) {
  const { acknowledged, refused, again } = settlementOf(batch, result);
  return { acknowledged, refused, again: again && textsOf(again.batch) };
}

test('an event that is neither refused nor to be sent again is acknowledged', () => {
  expect(settle(ACKNOWLEDGED)).toEqual({ acknowledged: 5, refused: [], again: null });
  expect(settle({ refused, retry: null })).toEqual({ acknowledged: 4, refused, again: null });
  expect(settle({ refused, retry: { events: [0, 4], afterMs: null, reason: '' } })).toEqual({
    acknowledged: 2,
    refused,
    again: ['a', 'e'],
  });
});

test('the rest is everything that was not refused, and the batch itself where nothing was', () => {
  expect(settlementOf(batch, retryAll('timeout')).again?.batch).toBe(batch);
  expect(settle({ ...retryAll('timeout'), refused })).toMatchObject({
    acknowledged: 0,
    again: ['a', 'c', 'd', 'e'],
  });
  const all = [0, 1, 2, 3, 4].map((index) => ({ index, reason: 'invalid_record' as const }));
  expect(settle({ ...retryAll('timeout'), refused: all })).toMatchObject({ acknowledged: 0, again: null });
  expect(settle({ refused: [], retry: { events: [], afterMs: null, reason: '' } }).again).toBeNull();
});

test('where the destination does not say which events it refused, every event it may mean is listed', () => {
  const result = { refused, refusedUnnamed, retry: { events: [3], afterMs: null, reason: '' } };
  expect(settle(result)).toEqual({
    acknowledged: 1,
    refused: [refused[0], ...[0, 2, 4].map((index) => ({ index, reason: 'partial_success' }))],
    again: ['d'],
  });
});

test('every event that was sent is booked once, and those to be sent again stay in flight', () => {
  const ledger = createLedger(['one']);
  const account = ledger.sinks['one'];
  if (account === undefined) throw new Error('no account');
  for (let event = 0; event < batch.count; event++) emit(ledger);
  take(account, { queued: batch.count, spooled: 0 });
  const result = { refused, refusedUnnamed, retry: { events: [3], afterMs: null, reason: '' } };
  bookAnswer(account, result, settlementOf(batch, result));
  expect(account).toMatchObject({
    in_flight: 1,
    delivered: 1,
    rejected: { invalid_record: 1, partial_success: 2 },
  });
});
