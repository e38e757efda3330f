import { describe, expect, test } from 'vitest';
import { connect, only } from '../../support/connection-walks.ts';
import { createNormalizerFixture, SECOND } from '../../support/record-builder.ts';

describe('retransmits', () => {
  test.each([-16, -11, -113, -12, -22])(
    'that the kernel gave up with %i are filtered and not counted',
    (error) => {
      const fixture = createNormalizerFixture();
      connect(fixture);
      expect(fixture.feed('tcp_retransmit_skb', { time: SECOND, error, to: 'ESTABLISHED' })).toEqual([]);
      expect(fixture.ledger.filtered).toEqual({ not_transmitted: 1 });
      expect(fixture.change('ESTABLISHED', 'CLOSE', { time: 2 * SECOND })[1]).toMatchObject({
        retransmits: 0,
      });
    },
  );

  test('have the state of the connection where the record has none', () => {
    const fixture = createNormalizerFixture();
    connect(fixture);
    expect(only(fixture.feed('tcp_retransmit_skb', { time: SECOND }))).toMatchObject({
      state: 'ESTABLISHED',
    });
    expect(only(fixture.feed('tcp_retransmit_skb', { time: SECOND, to: 'CLOSE_WAIT' }))).toMatchObject({
      state: 'CLOSE_WAIT',
      retransmitKind: 'unknown',
    });
  });
});
