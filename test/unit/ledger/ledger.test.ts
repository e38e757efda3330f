import { expect, test } from 'vitest';
import { createLedger, imbalances, type Ledger, total, waiting } from '../../../src/ledger/ledger.ts';
import { openLedger } from '../../support/open-ledger.ts';

function balanced(): Ledger {
  const ledger = openLedger(createLedger(['kafka', 'file']));
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

test('an equation that does not hold is named with both sides', () => {
  const ledger = openLedger(balanced());
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
  kafka.rejected.message_too_large = 4;
  expect(imbalances(ledger)).toEqual([
    'emitted + recovered is 10, kafka: delivered + rejected + dropped + queued + spooled + in_flight is 13',
    'emitted + recovered is 10, file: delivered + rejected + dropped + queued + spooled + in_flight is 11',
  ]);
});

test('what the kernel lost is beside the equations', () => {
  const ledger = openLedger(balanced());
  ledger.lost.kernel_overrun = 1_000_000;
  expect(imbalances(ledger)).toEqual([]);
});

test('counts by reason add up', () => {
  expect(total({ shutdown: 5, other: 2 })).toBe(7);
  expect(total({})).toBe(0);
});

test('events wait in memory, on disk and in flight', () => {
  const [account] = Object.values(createLedger(['kafka']).sinks);
  if (account === undefined) throw new Error('no account');
  expect(
    waiting({ ...account, queued: 1, spooled: 20, in_flight: 300, delivered: 4_000, recovered: 5 }),
  ).toBe(321);
});
