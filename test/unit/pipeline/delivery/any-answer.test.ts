import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { total } from '../../../../src/ledger/ledger.ts';
import { ACKNOWLEDGED, type SendResult } from '../../../../src/sink/sink.ts';
import { createDeliveryFixture, pass, useFakeClock } from './fixture.ts';

useFakeClock();

describe('whatever the sink answers', () => {
  const share = fc.constantFrom('acknowledge', 'refuse', 'retry' as const);
  const answer = fc.record({
    shares: fc.array(share, { minLength: 6, maxLength: 6 }),
    rest: fc.boolean(),
    afterMs: fc.constantFrom(null, 0, 1, 500),
  });
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 6 }) }),
    },
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('answer' as const), place: fc.nat({ max: 3 }), answer }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(0, 1, 100, 20_000) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('open' as const), fails: fc.boolean() }) },
  );

  function resultOf(
    count: number,
    { shares, rest, afterMs }: { shares: string[]; rest: boolean; afterMs: number | null },
  ): SendResult {
    const places = Array.from({ length: count }, (_, index) => index);
    const refused = places.filter((index) => shares[index] === 'refuse');
    const retry = places.filter((index) => shares[index] === 'retry');
    return {
      refused: refused.map((index) => ({
        index,
        reason: index % 2 === 0 ? 'invalid_record' : 'bad_request',
      })),
      retry: rest
        ? { events: 'rest', afterMs, reason: 'all again' }
        : retry.length === 0
          ? null
          : { events: retry, afterMs, reason: 'some again' },
    };
  }

  test('the account balances after every step, and each event ends in exactly one place', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        fc.boolean(),
        async (steps, maxInFlight, patient) => {
          const fixture = createDeliveryFixture({ maxInFlight });
          const fate = new Map<string, string>();
          let named = 0;
          const opened = fixture.delivery.open();
          const check = () => {
            fixture.expectBalance();
            expect(fixture.sink.sending.length).toBeLessThanOrEqual(maxInFlight);
            const { account } = fixture;
            expect(Math.min(account.queued, account.in_flight)).toBeGreaterThanOrEqual(0);
            const fates = [...fate.values()];
            expect(account.delivered).toBe(fates.filter((one) => one === 'delivered').length);
            expect(total(account.rejected)).toBe(fates.filter((one) => one === 'rejected').length);
          };
          const answerOne = async (place: number, result: (count: number) => SendResult) => {
            const one = fixture.sink.sending[place % Math.max(1, fixture.sink.sending.length)];
            if (one === undefined) return;
            const given = result(one.texts.length);
            const refused = new Set(given.refused.map(({ index }) => index));
            for (const [index, text] of one.texts.entries()) {
              expect(fate.get(text)).toBe('waiting');
              const again =
                given.retry !== null &&
                (given.retry.events === 'rest' ? !refused.has(index) : given.retry.events.includes(index));
              if (refused.has(index)) fate.set(text, 'rejected');
              else if (!again) fate.set(text, 'delivered');
            }
            await one.answer(given);
          };
          for (const one of steps) {
            if (one.kind === 'append') {
              const texts = Array.from({ length: one.count }, () => `event ${named++}`);
              for (const text of texts) fate.set(text, 'waiting');
              await fixture.append(...texts);
            } else if (one.kind === 'answer') {
              await answerOne(one.place, (count) => resultOf(count, one.answer));
            } else if (one.kind === 'pass') {
              await pass(one.ms);
            } else if (fixture.sink.opening.length > 0) {
              await fixture.answerOpen(one.fails ? { problem: 'not yet', mayPass: true } : null);
            }
            check();
          }
          const drained = fixture.delivery.drain(1_000_000);
          while (patient && fixture.sink.closed === 0) {
            if (fixture.sink.opening.length > 0) await fixture.answerOpen();
            await answerOne(0, () => ACKNOWLEDGED);
            check();
            if (fixture.sink.closed === 0) await pass(10_000);
          }
          await pass(1_000_000);
          await drained;
          if (fixture.sink.opening.length > 0) await fixture.answerOpen();
          await opened;
          check();
          const left = [...fate.values()].filter((one) => one === 'waiting').length;
          expect(total(fixture.account.dropped)).toBe(left);
          if (patient) expect(left).toBe(0);
          expect(fixture.account).toMatchObject({ queued: 0, in_flight: 0 });
          expect(fixture.sink.closed).toBe(1);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
