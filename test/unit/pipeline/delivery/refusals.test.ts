import { describe, expect, test } from 'vitest';
import { ACKNOWLEDGED, type Refusal, retryAll, type SendResult } from '../../../../src/sink/sink.ts';
import { openFixture, useFakeClock } from './fixture.ts';

useFakeClock();

describe('events that the sink refuses', () => {
  const REASON = 'partial_success' as const;
  async function refusalsOf(result: SendResult): Promise<(readonly Refusal[])[]> {
    const refusals: (readonly Refusal[])[] = [];
    const fixture = await openFixture({ onRefused: (_, refused) => refusals.push(refused) });
    await fixture.append('a', 'b', 'c', 'd');
    await fixture.sending().answer(result);
    return refusals;
  }
  const refuse = (index: number) => ({ index, reason: 'invalid_record' as const });

  test('are reported with their places and reasons', async () => {
    const refused = [refuse(0), refuse(2)];
    expect(await refusalsOf({ refused, retry: null })).toEqual([refused]);
  });

  test('are reported only where there are any', async () => {
    expect(await refusalsOf(ACKNOWLEDGED)).toEqual([]);
    expect(await refusalsOf(retryAll('timeout', 1))).toEqual([]);
  });

  test('without naming them are among those that it neither names nor asks for again', async () => {
    const refusedUnnamed = { count: 1, reason: REASON };
    const suspects = (...indexes: number[]) => indexes.map((index) => ({ index, reason: REASON }));
    expect(await refusalsOf({ refused: [], refusedUnnamed, retry: null })).toEqual([suspects(0, 1, 2, 3)]);
    expect(
      await refusalsOf({
        refused: [refuse(3)],
        refusedUnnamed,
        retry: { events: [1], afterMs: 1, reason: 'leader moved' },
      }),
    ).toEqual([[refuse(3), ...suspects(0, 2)]]);
  });
});
