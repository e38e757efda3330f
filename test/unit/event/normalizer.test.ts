import { describe, expect, test } from 'vitest';
import { accept, connect, kinds, only } from '../../support/connection-walks.ts';
import {
  createNormalizerFixture,
  MILLISECOND,
  type RecordFields,
  recordOf,
  SECOND,
} from '../../support/record-builder.ts';

describe('a connection', () => {
  test('has its durations, one life, and is then forgotten', () => {
    const fixture = createNormalizerFixture();
    connect(fixture);
    const at = (time: number): RecordFields => ({ time: time * MILLISECOND });
    fixture.feed('tcp_retransmit_skb', { ...at(15), to: 'ESTABLISHED' });
    expect(only(fixture.change('ESTABLISHED', 'FIN_WAIT1', at(110)))).toMatchObject({ durationUs: 100_000 });
    expect(only(fixture.change('FIN_WAIT1', 'FIN_WAIT2', at(111)))).toMatchObject({ durationUs: 1000 });
    const end = fixture.change('FIN_WAIT2', 'CLOSE', at(113));
    expect(kinds(end)).toEqual(['tcp_state', 'tcp_life']);
    expect(end[0]).toMatchObject({ durationUs: 2000 });
    expect(end[1]).toMatchObject({
      durationUs: 103_000,
      retransmits: 1,
      direction: 'active',
      pid: 7,
      isOwner: true,
    });
    expect(new Set(fixture.events.map(({ id }) => id)).size).toBe(1);
    expect(fixture.normalizer.connections).toBe(0);
  });

  test('keeps the duration of a state that is set again', () => {
    // Seen on 6.18: close(2) after shutdown(2) traces FIN_WAIT2 → FIN_WAIT2.
    const fixture = createNormalizerFixture();
    connect(fixture);
    fixture.change('ESTABLISHED', 'FIN_WAIT1', { time: 20 * MILLISECOND });
    fixture.change('FIN_WAIT1', 'FIN_WAIT2', { time: 30 * MILLISECOND });
    expect(fixture.change('FIN_WAIT2', 'FIN_WAIT2', { time: 60 * MILLISECOND })).toEqual([]);
    expect(fixture.ledger.filtered).toEqual({ state_unchanged: 1 });
    expect(fixture.change('FIN_WAIT2', 'CLOSE', { time: 70 * MILLISECOND })[0]).toMatchObject({
      durationUs: 40_000,
    });
  });

  test('is owned by who closes it when nobody is known before', () => {
    const fixture = createNormalizerFixture();
    accept(fixture, { thread: 3 });
    const ends = { localPort: 443, remotePort: 50_000 };
    fixture.change('ESTABLISHED', 'CLOSE_WAIT', { ...ends, time: 5 * MILLISECOND, thread: 4, inTask: true });
    const closing = only(
      fixture.change('CLOSE_WAIT', 'LAST_ACK', { ...ends, time: 6 * MILLISECOND, thread: 9, inTask: true }),
    );
    expect(closing).toMatchObject({ pid: 9, isOwner: true });
    const end = fixture.change('LAST_ACK', 'CLOSE', { ...ends, time: 7 * MILLISECOND, thread: 4 });
    expect(end.map(({ pid, isOwner }) => [pid, isOwner])).toEqual([
      [9, true],
      [9, true],
    ]);
    expect(fixture.events[2]).toMatchObject({ kind: 'tcp_accept', pid: 3, isOwner: false });
  });

  test('older than the agent has no direction, no durations and no counts', () => {
    const fixture = createNormalizerFixture();
    fixture.feed('tcp_retransmit_skb', { time: 1000, to: 'ESTABLISHED' });
    fixture.change('ESTABLISHED', 'FIN_WAIT1', { time: 2000 });
    fixture.change('FIN_WAIT1', 'CLOSE', { time: 3000 });
    expect(kinds(fixture.events)).toEqual(['tcp_retransmit', 'tcp_state', 'tcp_state', 'tcp_life']);
    expect(fixture.events.every(({ direction }) => direction === 'unknown')).toBe(true);
    expect(fixture.events.map(({ durationUs }) => durationUs).slice(1)).toEqual([-1, 1, -1]);
    expect(fixture.events[3]).toMatchObject({ retransmits: -1 });
    expect(new Set(fixture.events.map(({ id }) => id)).size).toBe(1);
  });

  test('has no duration across a missed record, and none below zero', () => {
    const fixture = createNormalizerFixture();
    connect(fixture);
    expect(only(fixture.change('FIN_WAIT1', 'FIN_WAIT2', { time: 50 * MILLISECOND }))).toMatchObject({
      durationUs: -1,
    });
    expect(only(fixture.change('FIN_WAIT2', 'CLOSING', { time: 40 * MILLISECOND }))).toMatchObject({
      durationUs: -1,
    });
  });

  test('does not count retransmits when not every one comes', () => {
    const fixture = createNormalizerFixture({ countsRetransmits: false });
    connect(fixture);
    expect(fixture.change('ESTABLISHED', 'CLOSE', { time: SECOND })[1]).toMatchObject({ retransmits: -1 });
  });

  test('is another when the memory of its socket has another flow', () => {
    const fixture = createNormalizerFixture();
    const before = connect(fixture);
    // CLOSE was lost. The kernel gives the memory to a connection whose beginning was lost too.
    const after = fixture.change('ESTABLISHED', 'FIN_WAIT1', { time: SECOND, localPort: 40_001 });
    expect(only(after).id).not.toBe(before[0]?.id);
    expect(only(after)).toMatchObject({ durationUs: -1, direction: 'unknown', isOwner: false });
    const end = fixture.change('FIN_WAIT1', 'CLOSE', { time: 2 * SECOND, localPort: 40_001 });
    expect(end[1]).toMatchObject({ kind: 'tcp_life', durationUs: -1, retransmits: -1 });
  });

  test('is another when only the peer differs', () => {
    const fixture = createNormalizerFixture();
    const before = connect(fixture);
    const after = only(fixture.change('ESTABLISHED', 'FIN_WAIT1', { time: SECOND, remote: '10.0.0.3' }));
    expect(after.id).not.toBe(before[0]?.id);
  });

  test('that begins again at the same socket with the same flow is another', () => {
    const fixture = createNormalizerFixture();
    const before = connect(fixture);
    const after = connect(fixture, { time: SECOND });
    expect(after[0]?.id).not.toBe(before[0]?.id);
    expect(after[0]).toMatchObject({ durationUs: -1 });
  });

  test('that waits is not completed by a record of another peer', () => {
    const fixture = createNormalizerFixture();
    const waiting = fixture.change('CLOSE', 'SYN_SENT', { time: 0, localPort: 0 });
    expect(waiting).toEqual([]);
    const events = fixture.change('ESTABLISHED', 'FIN_WAIT1', { time: 1000, remotePort: 80 });
    expect(events.map(({ newState, remotePort }) => [newState, remotePort])).toEqual([
      ['SYN_SENT', 443],
      ['SYN_SENT', 443],
      ['FIN_WAIT1', 80],
    ]);
    expect(events[0]?.id).not.toBe(events[2]?.id);
    expect(fixture.ledger.held).toBe(0);
  });

  test('that waits is released when its socket begins anew', () => {
    const fixture = createNormalizerFixture();
    fixture.change('CLOSE', 'SYN_SENT', { time: 0, localPort: 0 });
    const events = fixture.change('CLOSE', 'SYN_SENT', { time: 1000, localPort: 0, remotePort: 80 });
    expect(events.map(({ kind, remotePort }) => [kind, remotePort])).toEqual([
      ['tcp_state', 443],
      ['tcp_connect', 443],
    ]);
    expect(fixture.ledger.held).toBe(1);
  });

  test('over IPv6 is told as such', () => {
    const fixture = createNormalizerFixture();
    const events = connect(fixture, { local: '2001:db8::1', remote: '2001:db8:0:0:1::2' });
    expect(events[0]).toMatchObject({ version: 6, local: '2001:db8::1', remote: '2001:db8::1:0:0:2' });
    expect(events[0]?.communityId).toMatch(/^1:/);
  });
});

describe('a listening socket', () => {
  test('has no peer, its owner, and no life', () => {
    const fixture = createNormalizerFixture();
    const ends = { local: '0.0.0.0', localPort: 443, remote: '0.0.0.0', remotePort: 0 };
    const listening = only(fixture.change('CLOSE', 'LISTEN', { ...ends, time: 0, thread: 5, inTask: true }));
    expect(listening).toMatchObject({
      remote: null,
      remotePort: null,
      communityId: null,
      pid: 5,
      isOwner: true,
      direction: 'unknown',
    });
    const end = fixture.change('LISTEN', 'CLOSE', { ...ends, time: 4000, thread: 6 });
    expect(kinds(end)).toEqual(['tcp_state']);
    expect(only(end)).toMatchObject({ durationUs: 4, pid: 5 });
  });

  test('is another each time it begins to listen, also where its end was lost', () => {
    const fixture = createNormalizerFixture();
    const ends = { local: '0.0.0.0', localPort: 443, remote: '0.0.0.0', remotePort: 0 };
    const [first, second] = [0, SECOND].map((time) =>
      only(fixture.change('CLOSE', 'LISTEN', { ...ends, time })),
    );
    expect(second?.id).not.toBe(first?.id);
    expect(only(fixture.change('LISTEN', 'CLOSE', { ...ends, time: 3 * SECOND }))).toMatchObject({
      id: second?.id,
      durationUs: 2_000_000,
    });
  });

  test('whose port and end were not told does not take a connection that has its memory now', () => {
    const fixture = createNormalizerFixture();
    const ends = { local: '0.0.0.0', localPort: 0, remote: '0.0.0.0', remotePort: 0 };
    const listening = only(fixture.change('CLOSE', 'LISTEN', { ...ends, time: 0 }));
    const closing = only(fixture.change('ESTABLISHED', 'FIN_WAIT1', { time: SECOND }));
    expect(closing.id).not.toBe(listening.id);
    expect(closing).toMatchObject({ durationUs: -1, remotePort: 443 });
  });

  test('is not disturbed by the resets, SYN-ACKs and children that carry it', () => {
    const fixture = createNormalizerFixture();
    const ends = { local: '0.0.0.0', localPort: 443, remote: '0.0.0.0', remotePort: 0, socket: 0x9000 };
    const listening = only(fixture.change('CLOSE', 'LISTEN', { ...ends, time: 0 }));
    // As 6.10 and newer trace it, with the listener's own ends, and as a packet's ends.
    const ownEnds = only(fixture.feed('tcp_send_reset', { ...ends, time: 1000, to: 'LISTEN' }));
    const packetEnds = only(
      fixture.feed('tcp_send_reset', { time: 2000, socket: 0x9000, localPort: 443, to: 'LISTEN' }),
    );
    fixture.feed('tcp_retransmit_synack', { time: 3000, socket: 0x9000, request: 0x7000, localPort: 443 });
    accept(fixture, { socket: 0x2000, time: 4000 });
    expect(ownEnds).toMatchObject({ id: listening.id, state: 'LISTEN', resetSent: true });
    expect(packetEnds.id).not.toBe(listening.id);
    expect(packetEnds).toMatchObject({ remote: '10.0.0.2', direction: 'unknown' });
    const end = only(fixture.change('LISTEN', 'CLOSE', { ...ends, time: 9000 }));
    expect(end).toMatchObject({ id: listening.id, durationUs: 9 });
  });
});

test('a record may be changed as soon as it was taken', () => {
  const fixture = createNormalizerFixture();
  const record = recordOf('tcp_set_state', { from: 'CLOSE', to: 'SYN_SENT', localPort: 0 });
  fixture.normalizer.accept(record);
  record.bytes.fill(0xff);
  record.remotePort = 1;
  fixture.normalizer.advance(Number.POSITIVE_INFINITY);
  expect(fixture.events[0]).toMatchObject({ remote: '10.0.0.2', remotePort: 443 });
});
