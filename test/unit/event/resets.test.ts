import { describe, expect, test } from 'vitest';
import { connect, kinds, only } from '../../support/connection-walks.ts';
import { createNormalizerFixture, SECOND } from '../../support/record-builder.ts';

describe('resets', () => {
  test('without a socket stand for themselves', () => {
    const fixture = createNormalizerFixture();
    const events = [1, 2].map((time) => only(fixture.feed('tcp_send_reset', { time, socket: 0 })));
    expect(events.map(({ state, resetSent, direction }) => [state, resetSent, direction])).toEqual([
      [null, true, 'unknown'],
      [null, true, 'unknown'],
    ]);
    expect(events[0]?.communityId).toMatch(/^1:/);
    expect(fixture.normalizer.connections).toBe(0);
  });

  test('of TIME_WAIT, which is another socket, leave the connections alone', () => {
    const fixture = createNormalizerFixture();
    connect(fixture);
    const reset = only(fixture.feed('tcp_send_reset', { time: SECOND, socket: 0x5555, to: 'TIME_WAIT' }));
    expect(reset).toMatchObject({ state: 'TIME_WAIT' });
    expect(fixture.normalizer.connections).toBe(1);
  });

  test('received belong to their connection, in its state', () => {
    const fixture = createNormalizerFixture();
    const [first] = connect(fixture);
    const reset = only(fixture.feed('tcp_receive_reset', { time: SECOND }));
    expect(reset).toMatchObject({
      id: first?.id,
      state: 'ESTABLISHED',
      resetSent: false,
      direction: 'active',
    });
  });

  test('of an abort, which come after CLOSE, belong to the connection that was aborted', () => {
    // Seen on 6.18: close(2) with unread data, and with SO_LINGER 0, close first and then reset.
    const fixture = createNormalizerFixture();
    const [first] = connect(fixture);
    fixture.change('ESTABLISHED', 'CLOSE', { time: SECOND });
    const reset = only(fixture.feed('tcp_send_reset', { time: SECOND + 6000, to: 'CLOSE' }));
    expect(reset).toMatchObject({
      id: first?.id,
      state: 'CLOSE',
      direction: 'active',
      pid: 7,
      isOwner: true,
    });
    expect(fixture.normalizer.connections).toBe(0);
  });

  test('belong to the connection that has the memory now, not to the one that had it', () => {
    const fixture = createNormalizerFixture();
    connect(fixture);
    fixture.change('ESTABLISHED', 'CLOSE', { time: SECOND });
    const [next] = connect(fixture, { time: 2 * SECOND, localPort: 40_001 });
    const reset = only(
      fixture.feed('tcp_send_reset', { time: 3 * SECOND, localPort: 40_001, to: 'ESTABLISHED' }),
    );
    expect(reset.id).toBe(next?.id);
  });

  test('of a connection closed long ago stand for themselves', () => {
    const fixture = createNormalizerFixture();
    const [first] = connect(fixture);
    fixture.change('ESTABLISHED', 'CLOSE', { time: SECOND });
    for (let socket = 1; socket <= 256; socket++) {
      connect(fixture, { socket: socket << 16, time: 2 * SECOND });
      fixture.change('ESTABLISHED', 'CLOSE', { socket: socket << 16, time: 3 * SECOND });
    }
    const reset = only(fixture.feed('tcp_send_reset', { time: 4 * SECOND, to: 'CLOSE' }));
    expect(reset.id).not.toBe(first?.id);
  });

  test('in answer to a wrong SYN-ACK complete the connection that waits', () => {
    const fixture = createNormalizerFixture();
    fixture.change('CLOSE', 'SYN_SENT', { time: 0, localPort: 0 });
    const events = fixture.feed('tcp_send_reset', { time: 1000, to: 'SYN_SENT' });
    expect(kinds(events)).toEqual(['tcp_state', 'tcp_connect', 'tcp_reset']);
    expect(new Set(events.map(({ id }) => id)).size).toBe(1);
  });
});
