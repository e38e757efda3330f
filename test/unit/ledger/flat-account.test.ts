import { expect, test } from 'vitest';
import { flatAccount, flatSinkAccounts } from '../../../src/ledger/flat-account.ts';
import { healthySnapshot } from '../telemetry/snapshots.ts';

test('the flat account has every number of the ledger by a name of its own', () => {
  const { ledger } = healthySnapshot();
  expect(flatAccount(ledger)).toEqual({
    read: 123_471,
    malformed: 4,
    decoded: 123_467,
    derived: 44,
    emitted: 123_000,
    held: 17,
    'filtered.event_disabled': 433,
    'filtered.own_traffic': 50,
    'suppressed.tcp_state': 6,
    'suppressed.tcp_life': 5,
    'lost.kernel_overrun': 12_345,
    'lost.malformed_page': 0,
  });
  expect(flatSinkAccounts(ledger)).toEqual({
    'sink.kafka.delivered': 120_000,
    'sink.kafka.rejected.message_too_large': 2,
    'sink.kafka.dropped.spool_full': 98,
    'sink.kafka.recovered': 0,
    'sink.kafka.queued': 400,
    'sink.kafka.spooled': 2_000,
    'sink.kafka.in_flight': 500,
    'sink.file.delivered': 122_999,
    'sink.file.recovered': 0,
    'sink.file.queued': 1,
    'sink.file.spooled': 0,
    'sink.file.in_flight': 0,
  });
});
