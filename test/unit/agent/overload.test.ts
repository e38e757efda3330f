import { pino } from 'pino';
import { expect, test } from 'vitest';
import { watchSuppression } from '../../../src/agent/overload.ts';
import { suppress } from '../../../src/ledger/booking.ts';
import { createLedger } from '../../../src/ledger/ledger.ts';
import { rateLimited } from '../../../src/telemetry/fault-log.ts';
import { collectLines } from '../telemetry/log-lines.ts';

test('suppression is said once a minute for each kind, with its count and the key to change', () => {
  const lines = collectLines();
  let now = 0;
  const faults = rateLimited(pino({ base: null }, lines.stream), { intervalMs: 60_000, now: () => now });
  const ledger = createLedger([]);
  const report = watchSuppression(ledger, faults);
  report();
  expect(lines.all()).toEqual([]);

  for (let event = 0; event < 17; event++) suppress(ledger, 'tcp_state');
  report();
  report();
  expect(lines.all()).toMatchObject([
    {
      level: 40,
      kind: 'tcp_state',
      events: 17,
      msg: 'more tcp_state events come than are let through: raise limits.events_per_second.tcp_state, or record less',
    },
  ]);

  now = 30_000;
  for (let event = 0; event < 3; event++) suppress(ledger, 'tcp_state');
  suppress(ledger, 'tcp_retransmit');
  report();
  expect(lines.messages()).toEqual([
    expect.stringContaining('tcp_state'),
    expect.stringMatching(/^more tcp_retransmit events .*; summary\.interval_s keeps the counts per peer$/),
  ]);

  // Over: nothing more is said, but for what was not said yet.
  now = 90_000;
  report();
  expect(lines.all()).toHaveLength(2);
  faults.close();
  expect(lines.all().slice(2)).toMatchObject([{ kind: 'tcp_state', events: 20, repeated: 1 }]);
});
