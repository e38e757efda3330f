import { expect, test } from 'vitest';
import { count, createLedger, imbalances, type Ledger, total } from '../../../src/ledger/ledger.ts';

function balanced(): Ledger {
  const ledger = createLedger(['kafka', 'file']);
  Object.assign(ledger, { read: 12, malformed: 2, decoded: 10, derived: 5, emitted: 10, held: 1 });
  ledger.filtered = { excluded_port: 2, event_disabled: 1 };
  ledger.suppressed = { tcp_state: 1 };
  Object.assign(ledger.sinks['kafka'] ?? {}, {
    delivered: 4,
    rejected: { message_too_large: 1 },
    dropped: { shutdown: 2 },
    queued: 2,
    in_flight: 1,
  });
  Object.assign(ledger.sinks['file'] ?? {}, { delivered: 10 });
  return ledger;
}

test('a new ledger balances', () => {
  expect(imbalances(createLedger([]))).toEqual([]);
  expect(imbalances(createLedger(['kafka']))).toEqual([]);
  expect(createLedger(['kafka']).lost).toEqual({ kernel_overrun: 0, malformed_page: 0 });
});

test('every part counts in its equation', () => {
  expect(imbalances(balanced())).toEqual([]);
});

test('says of each equation that does not hold which it is, and both sides', () => {
  const ledger = balanced();
  ledger.read++;
  expect(imbalances(ledger)).toEqual(['read is 13, decoded + malformed is 12']);
  ledger.read--;
  ledger.held++;
  expect(imbalances(ledger)).toEqual([
    'decoded + derived is 15, emitted + filtered + suppressed + held is 16',
  ]);
  ledger.held--;
  const { file, kafka } = ledger.sinks;
  if (file === undefined || kafka === undefined) throw new Error('no account');
  file.queued++;
  count(kafka.rejected, 'message_too_large', 3);
  expect(imbalances(ledger)).toEqual([
    'emitted + recovered is 10, kafka: delivered + rejected + dropped + queued + spooled + in_flight is 13',
    'emitted + recovered is 10, file: delivered + rejected + dropped + queued + spooled + in_flight is 11',
  ]);
});

test('what the kernel lost is beside the equations', () => {
  const ledger = balanced();
  count(ledger.lost, 'kernel_overrun', 1_000_000);
  expect(imbalances(ledger)).toEqual([]);
});

test('counters by reason begin at nothing and add up', () => {
  const by: Record<string, number> = {};
  count(by, 'shutdown');
  count(by, 'shutdown', 4);
  count(by, 'other', 2);
  expect(by).toEqual({ shutdown: 5, other: 2 });
  expect(total(by)).toBe(7);
  expect(total({})).toBe(0);
});
