import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  acknowledge,
  close,
  countMalformedRecord,
  countRecord,
  derive,
  drop,
  emit,
  filter,
  hold,
  lose,
  recover,
  reject,
  release,
  spool,
  suppress,
  take,
} from '../../../src/ledger/booking.ts';
import { createLedger, imbalances, type Ledger, type SinkAccount } from '../../../src/ledger/ledger.ts';

function accountOf(ledger: Ledger, sink = 'kafka'): SinkAccount {
  const account = ledger.sinks[sink];
  if (account === undefined) throw new Error(`no sink ${sink}`);
  return account;
}

/** A ledger whose sinks have so many events queued. */
function ledgerWith(events: number): Ledger {
  const ledger = createLedger(['kafka', 'file']);
  for (let event = 0; event < events; event++) {
    countRecord(ledger);
    emit(ledger);
  }
  return ledger;
}

describe('records and events', () => {
  test('a record that can be decoded counts as read and decoded, any other as read and malformed', () => {
    const ledger = createLedger([]);
    countRecord(ledger);
    countRecord(ledger);
    countMalformedRecord(ledger);
    expect(ledger).toMatchObject({ read: 3, decoded: 2, malformed: 1 });
  });

  test('an emitted event is queued for every sink', () => {
    const ledger = ledgerWith(2);
    expect(ledger.emitted).toBe(2);
    expect(accountOf(ledger, 'kafka').queued).toBe(2);
    expect(accountOf(ledger, 'file').queued).toBe(2);
  });

  test('an event that is filtered or suppressed is counted by its reason or kind', () => {
    const ledger = createLedger([]);
    filter(ledger, 'excluded_port');
    filter(ledger, 'excluded_port');
    filter(ledger, 'own_traffic');
    suppress(ledger, 'tcp_state');
    expect(ledger.filtered).toEqual({ excluded_port: 2, own_traffic: 1 });
    expect(ledger.suppressed).toEqual({ tcp_state: 1 });
  });

  test('a held event is released once', () => {
    const ledger = createLedger([]);
    hold(ledger);
    hold(ledger);
    release(ledger);
    expect(ledger.held).toBe(1);
  });

  test('a loss is counted by its reason, one at a time or many', () => {
    const ledger = createLedger([]);
    lose(ledger, 'malformed_page');
    lose(ledger, 'kernel_overrun', 17);
    lose(ledger, 'kernel_overrun', 3);
    expect(ledger.lost).toEqual({ kernel_overrun: 20, malformed_page: 1 });
  });
});

describe('events of a sink', () => {
  test('move from memory to disk, then in flight, then delivered or rejected', () => {
    const ledger = ledgerWith(10);
    const account = accountOf(ledger);
    spool(account, 6);
    expect(account).toMatchObject({ queued: 4, spooled: 6 });
    take(account, { queued: 3, spooled: 5 });
    expect(account).toMatchObject({ queued: 1, spooled: 1, in_flight: 8 });
    acknowledge(account, 5);
    reject(account, 'message_too_large', 2);
    expect(account).toMatchObject({ in_flight: 1, delivered: 5, rejected: { message_too_large: 2 } });
    expect(imbalances(ledger)).toEqual([]);
  });

  test('that an earlier run left in the spool are recovered and wait on disk', () => {
    const ledger = createLedger(['kafka']);
    recover(accountOf(ledger), 4);
    expect(accountOf(ledger)).toMatchObject({ recovered: 4, spooled: 4 });
    expect(imbalances(ledger)).toEqual([]);
  });

  test('are dropped from where they wait', () => {
    const ledger = ledgerWith(10);
    const account = accountOf(ledger);
    spool(account, 4);
    drop(account, 'queued', 'spool_full', 2);
    drop(account, 'spooled', 'spool_damaged', 1);
    expect(account).toMatchObject({ queued: 4, spooled: 3, dropped: { spool_full: 2, spool_damaged: 1 } });
  });

  test('that are in memory only when the sink is closed are dropped, those on disk stay there', () => {
    const ledger = ledgerWith(10);
    const account = accountOf(ledger);
    spool(account, 4);
    take(account, { queued: 2, spooled: 3 });
    close(account, 2);
    expect(account).toMatchObject({ queued: 0, in_flight: 0, spooled: 4, dropped: { shutdown: 6 } });
    expect(imbalances(ledger)).toEqual([]);
  });

  test('are not dropped when none is in memory only', () => {
    const ledger = ledgerWith(3);
    const account = accountOf(ledger);
    spool(account, 3);
    take(account, { queued: 0, spooled: 2 });
    // More were unsaved when they were taken; those are acknowledged by now.
    close(account, 0);
    expect(account).toMatchObject({ spooled: 3, in_flight: 0 });
    expect(account.dropped).toEqual({});
  });

  test('are dropped no more often than they are in flight', () => {
    const account = accountOf(ledgerWith(3));
    take(account, { queued: 3, spooled: 0 });
    acknowledge(account, 2);
    close(account, 3);
    expect(account).toMatchObject({ spooled: 0, dropped: { shutdown: 1 } });
  });
});

test('the equations hold after any sequence of bookings', () => {
  const steps = {
    malformed: (ledger: Ledger) => countMalformedRecord(ledger),
    emitted(ledger: Ledger) {
      countRecord(ledger);
      emit(ledger);
    },
    filtered(ledger: Ledger) {
      countRecord(ledger);
      filter(ledger, 'event_disabled');
    },
    heldAndDerived(ledger: Ledger) {
      countRecord(ledger);
      hold(ledger);
      derive(ledger);
      suppress(ledger, 'tcp_connect');
    },
    released(ledger: Ledger) {
      if (ledger.held === 0) return;
      release(ledger);
      emit(ledger);
    },
    recovered: (ledger: Ledger) => recover(accountOf(ledger), 3),
    spooled: (ledger: Ledger) => spool(accountOf(ledger), Math.min(2, accountOf(ledger).queued)),
    taken(ledger: Ledger) {
      const { queued, spooled } = accountOf(ledger);
      take(accountOf(ledger), { queued: Math.min(1, queued), spooled: Math.min(2, spooled) });
    },
    acknowledged: (ledger: Ledger) =>
      acknowledge(accountOf(ledger), Math.min(1, accountOf(ledger).in_flight)),
    rejected: (ledger: Ledger) =>
      reject(accountOf(ledger), 'bad_request', Math.min(1, accountOf(ledger).in_flight)),
    dropped: (ledger: Ledger) =>
      drop(accountOf(ledger), 'spooled', 'spool_full', Math.min(1, accountOf(ledger).spooled)),
    closed: (ledger: Ledger) => close(accountOf(ledger), 1),
  };
  type Step = keyof typeof steps;
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...(Object.keys(steps) as Step[])), { maxLength: 60 }),
      (sequence) => {
        const ledger = createLedger(['kafka', 'file']);
        for (const step of sequence) {
          steps[step](ledger);
          expect(imbalances(ledger)).toEqual([]);
        }
      },
    ),
  );
});
