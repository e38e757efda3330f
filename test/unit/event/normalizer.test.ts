import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { parseRange, type Range } from '../../../src/event/address.ts';
import { UNKNOWN } from '../../../src/event/draft.ts';
import { NO_EXCLUSIONS } from '../../../src/event/exclusions.ts';
import { SINGLE_EVENT_KINDS } from '../../../src/event/kinds.ts';
import { NO_LIMITS } from '../../../src/event/limits.ts';
import { createNormalizer } from '../../../src/event/normalizer.ts';
import { NO_SUMMARIES } from '../../../src/event/retransmit-summaries.ts';
import { createLedger, imbalances } from '../../../src/ledger/ledger.ts';
import {
  createNormalizerFixture,
  MILLISECOND,
  type NormalizerFixture,
  type RecordFields,
  recordOf,
  SECOND,
  type SeenEvent,
} from '../../support/record-builder.ts';

const kinds = (events: readonly SeenEvent[]) => events.map(({ kind }) => kind);

function only<T>(list: readonly T[]): T {
  const [first, ...more] = list;
  if (first === undefined || more.length > 0) throw new Error(`${list.length} events instead of one`);
  return first;
}

function rangeOf(text: string): Range {
  const range = parseRange(text);
  if (range === null) throw new Error(`${text} is no range`);
  return range;
}

/** connect(2) up to ESTABLISHED, as the kernel traces it: the local port is chosen after SYN_SENT. */
function connect(fixture: NormalizerFixture, fields: RecordFields = {}): SeenEvent[] {
  const time = fields.time ?? 0;
  return [
    ...fixture.change('CLOSE', 'SYN_SENT', { inTask: true, thread: 7, ...fields, time, localPort: 0 }),
    ...fixture.change('SYN_SENT', 'ESTABLISHED', { ...fields, time: time + 10 * MILLISECOND }),
  ];
}

/** The server's side, where the kernel clones the listener before it sets the peer (6.1; 6.18 tells it at once). */
function accept(fixture: NormalizerFixture, fields: RecordFields = {}): SeenEvent[] {
  const time = fields.time ?? 0;
  const ends = { localPort: 443, remotePort: 50_000, ...fields };
  return [
    ...fixture.change('LISTEN', 'SYN_RECV', { ...ends, time, remotePort: 0, remote: '0.0.0.0' }),
    ...fixture.change('SYN_RECV', 'ESTABLISHED', { ...ends, time: time + MILLISECOND }),
  ];
}

describe('active open', () => {
  test('waits for the local port, which ESTABLISHED tells', () => {
    const fixture = createNormalizerFixture();
    const fields = { inTask: true, thread: 7, cpu: 2 };
    expect(fixture.change('CLOSE', 'SYN_SENT', { ...fields, time: 5000, localPort: 0 })).toEqual([]);
    expect(fixture.ledger.held).toBe(1);
    const events = fixture.change('SYN_SENT', 'ESTABLISHED', { time: 3_005_999, cpu: 1, thread: 0 });
    expect(fixture.ledger.held).toBe(0);
    expect(kinds(events)).toEqual(['tcp_state', 'tcp_connect', 'tcp_state', 'tcp_connect_latency']);
    const [syn, connected, established, latency] = events;
    expect(syn).toMatchObject({
      time: 5000,
      cpu: 2,
      ordinal: 0,
      oldState: 'CLOSE',
      newState: 'SYN_SENT',
      durationUs: -1,
      localPort: 40_000,
      remotePort: 443,
      direction: 'active',
      pid: 7,
      isOwner: true,
    });
    expect(syn?.communityId).toMatch(/^1:/);
    expect(connected).toMatchObject({ time: 5000, cpu: 2, ordinal: 1, pid: 7 });
    expect(established).toMatchObject({ time: 3_005_999, cpu: 1, ordinal: 0, durationUs: 3000, pid: 7 });
    expect(latency).toMatchObject({ cpu: 1, ordinal: 1, latencyUs: 3000 });
    expect(new Set(events.map(({ id }) => id)).size).toBe(1);
  });

  test('is completed by a retransmitted SYN', () => {
    const fixture = createNormalizerFixture();
    fixture.change('CLOSE', 'SYN_SENT', { time: 0, localPort: 0 });
    const events = fixture.feed('tcp_retransmit_skb', { time: SECOND, to: 'SYN_SENT' });
    expect(kinds(events)).toEqual(['tcp_state', 'tcp_connect', 'tcp_retransmit']);
    expect(events.map(({ localPort }) => localPort)).toEqual([40_000, 40_000, 40_000]);
    expect(events[2]).toMatchObject({ retransmitKind: 'syn', state: 'SYN_SENT', direction: 'active' });
  });

  test('is released after 1.3 s of trace time with what is known, and goes on when more comes', () => {
    const fixture = createNormalizerFixture();
    fixture.change('CLOSE', 'SYN_SENT', { time: 1000, localPort: 0 });
    expect(fixture.advance(1000 + 1.3 * SECOND - 1)).toEqual([]);
    const released = fixture.advance(1000 + 1.3 * SECOND);
    expect(kinds(released)).toEqual(['tcp_state', 'tcp_connect']);
    expect(released[0]).toMatchObject({
      localPort: 0,
      remotePort: 443,
      remote: '10.0.0.2',
      communityId: null,
    });
    expect(fixture.ledger.held).toBe(0);
    const established = fixture.change('SYN_SENT', 'ESTABLISHED', { time: 1000 + 2 * SECOND });
    expect(established[0]).toMatchObject({ id: released[0]?.id, localPort: 40_000, durationUs: 2_000_000 });
    expect(established[0]?.communityId).toMatch(/^1:/);
  });

  test('that fails gives no latency and no life', () => {
    const fixture = createNormalizerFixture();
    fixture.change('CLOSE', 'SYN_SENT', { time: 0, localPort: 0 });
    fixture.feed('tcp_receive_reset', { time: 1000, to: 'SYN_SENT' });
    fixture.change('SYN_SENT', 'CLOSE', { time: 2000 });
    expect(kinds(fixture.events)).toEqual(['tcp_state', 'tcp_connect', 'tcp_reset', 'tcp_state']);
    expect(fixture.normalizer.connections).toBe(0);
  });

  test('without a free port never has one', () => {
    const fixture = createNormalizerFixture();
    fixture.change('CLOSE', 'SYN_SENT', { time: 0, localPort: 0 });
    const events = fixture.change('SYN_SENT', 'CLOSE', { time: 2000, localPort: 0 });
    expect(kinds(events)).toEqual(['tcp_state', 'tcp_connect', 'tcp_state']);
    expect(events.every(({ localPort, communityId }) => localPort === 0 && communityId === null)).toBe(true);
    expect(fixture.ledger.held).toBe(0);
  });

  test('of a socket that connects again still shows the port of its last connection, which is not believed', () => {
    // Seen on 6.18: connect refused, then connect on the same socket. inet_sport stays until inet_hash_connect.
    const fixture = createNormalizerFixture();
    fixture.change('CLOSE', 'SYN_SENT', { time: 0, localPort: 0, remotePort: 1 });
    fixture.change('SYN_SENT', 'CLOSE', { time: 1000, localPort: 56_662, remotePort: 1 });
    const again = [
      ...fixture.change('CLOSE', 'SYN_SENT', { time: 2000, localPort: 56_662 }),
      ...fixture.change('SYN_SENT', 'ESTABLISHED', { time: 5000, localPort: 44_870 }),
    ];
    expect(kinds(again)).toEqual(['tcp_state', 'tcp_connect', 'tcp_state', 'tcp_connect_latency']);
    expect(again.map(({ localPort }) => localPort)).toEqual([44_870, 44_870, 44_870, 44_870]);
    expect(again[3]).toMatchObject({ latencyUs: 3, direction: 'active' });
  });

  test('from both sides at once stays active', () => {
    const fixture = createNormalizerFixture();
    fixture.change('CLOSE', 'SYN_SENT', { time: 0, localPort: 0 });
    fixture.change('SYN_SENT', 'SYN_RECV', { time: 4000 });
    const events = fixture.change('SYN_RECV', 'ESTABLISHED', { time: 9000 });
    expect(kinds(events)).toEqual(['tcp_state', 'tcp_connect_latency']);
    expect(events[1]).toMatchObject({ direction: 'active', latencyUs: 9 });
  });

  test('in an interrupt has no owner', () => {
    const fixture = createNormalizerFixture();
    fixture.change('CLOSE', 'SYN_SENT', { time: 0, localPort: 0, inTask: false, thread: 7 });
    const events = fixture.change('SYN_SENT', 'ESTABLISHED', { time: 1000, thread: 8 });
    expect(events.map(({ pid, isOwner }) => [pid, isOwner])).toEqual([
      [7, false],
      [7, false],
      [8, false],
      [8, false],
    ]);
  });
});

describe('passive open', () => {
  test('waits for the peer, which the next record tells', () => {
    const fixture = createNormalizerFixture();
    const events = accept(fixture);
    expect(kinds(events)).toEqual(['tcp_state', 'tcp_state', 'tcp_accept']);
    expect(events[0]).toMatchObject({
      oldState: 'LISTEN',
      newState: 'SYN_RECV',
      direction: 'passive',
      durationUs: -1,
    });
    expect(events.every(({ remote, remotePort }) => remote === '10.0.0.2' && remotePort === 50_000)).toBe(
      true,
    );
    expect(events[1]).toMatchObject({ durationUs: 1000 });
  });

  test('needs not wait where the kernel tells the peer at once', () => {
    const fixture = createNormalizerFixture();
    const events = fixture.change('LISTEN', 'SYN_RECV', { time: 0, localPort: 443, remotePort: 50_000 });
    expect(kinds(events)).toEqual(['tcp_state']);
    expect(only(events)).toMatchObject({ direction: 'passive', remotePort: 50_000 });
  });

  test('takes over the identifier and the count of its retransmitted SYN-ACKs', () => {
    const fixture = createNormalizerFixture();
    const ends = { localPort: 443, remotePort: 50_000 };
    const synAck = { ...ends, socket: 0x9000, request: 0x7000 };
    const first = only(fixture.feed('tcp_retransmit_synack', { ...synAck, time: SECOND }));
    const second = only(fixture.feed('tcp_retransmit_synack', { ...synAck, time: 3 * SECOND }));
    expect(first).toMatchObject({
      retransmitKind: 'synack',
      state: 'SYN_RECV',
      direction: 'passive',
      pid: 0,
    });
    const events = accept(fixture, { ...ends, socket: 0x2000, time: 4 * SECOND });
    fixture.change('ESTABLISHED', 'CLOSE_WAIT', { ...ends, socket: 0x2000, time: 5 * SECOND });
    fixture.change('CLOSE_WAIT', 'LAST_ACK', { ...ends, socket: 0x2000, time: 6 * SECOND });
    const last = fixture.change('LAST_ACK', 'CLOSE', { ...ends, socket: 0x2000, time: 7 * SECOND });
    expect(new Set([first, second, ...events, ...last].map(({ id }) => id)).size).toBe(1);
    expect(last[1]).toMatchObject({ kind: 'tcp_life', retransmits: 2 });
    expect(fixture.normalizer.connections).toBe(0);
  });

  test('does not take over the request of another peer', () => {
    const fixture = createNormalizerFixture();
    const other = { localPort: 443, remotePort: 50_001, socket: 0x9000, request: 0x7000 };
    const synAck = only(fixture.feed('tcp_retransmit_synack', other));
    const events = accept(fixture, { socket: 0x2000 });
    expect(events[0]?.id).not.toBe(synAck.id);
  });

  test('does not take over a request whose memory has become another request', () => {
    const fixture = createNormalizerFixture();
    const request = { localPort: 443, socket: 0x9000, request: 0x7000 };
    const old = only(fixture.feed('tcp_retransmit_synack', { ...request, remotePort: 50_000 }));
    fixture.feed('tcp_retransmit_synack', { ...request, remotePort: 50_001 });
    const events = accept(fixture, { socket: 0x2000, remotePort: 50_000 });
    expect(events[0]?.id).not.toBe(old.id);
  });
});

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
      remotePort: 0,
      communityId: null,
      pid: 5,
      isOwner: true,
      direction: 'unknown',
    });
    const end = fixture.change('LISTEN', 'CLOSE', { ...ends, time: 4000, thread: 6 });
    expect(kinds(end)).toEqual(['tcp_state']);
    expect(only(end)).toMatchObject({ durationUs: 4, pid: 5 });
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

describe('what is not wanted', () => {
  test.each([
    ['the remote address', { ranges: [rangeOf('10.0.0.2/31')] }, 'excluded_address'],
    ['the local address', { ranges: [rangeOf('10.0.0.1')] }, 'excluded_address'],
    ['the remote port', { ports: new Set([443]) }, 'excluded_port'],
    ['the local port, known only later', { ports: new Set([40_000]) }, 'excluded_port'],
    ['the process', { comms: new Set(['task7']) }, 'excluded_comm'],
  ])('is left out by %s, and counted', (_, exclusions, reason) => {
    const fixture = createNormalizerFixture({ exclusions });
    expect(connect(fixture)).toEqual([]);
    fixture.change('ESTABLISHED', 'CLOSE', { time: SECOND });
    expect(fixture.events).toEqual([]);
    expect(fixture.ledger.filtered).toEqual({ [reason]: 6 });
  });

  test('is chosen again at a reload, also for connections that are there', () => {
    const fixture = createNormalizerFixture();
    connect(fixture);
    fixture.normalizer.choose(new Set(SINGLE_EVENT_KINDS), { ...NO_EXCLUSIONS, ports: new Set([443]) });
    expect(fixture.feed('tcp_retransmit_skb', { time: SECOND })).toEqual([]);
    expect(fixture.change('ESTABLISHED', 'FIN_WAIT1', { time: SECOND })).toEqual([]);
    fixture.normalizer.choose(new Set(SINGLE_EVENT_KINDS), NO_EXCLUSIONS);
    expect(fixture.feed('tcp_send_reset', { time: SECOND, to: 'FIN_WAIT1' })).toHaveLength(1);
    expect(fixture.change('FIN_WAIT1', 'CLOSE', { time: 2 * SECOND })).toHaveLength(2);
    expect(fixture.ledger.filtered).toEqual({ excluded_port: 2 });
  });

  test("is the agent's own traffic, resets at its end included", () => {
    const fixture = createNormalizerFixture({ ownPid: 7 });
    expect(connect(fixture)).toEqual([]);
    fixture.normalizer.choose(new Set(SINGLE_EVENT_KINDS), NO_EXCLUSIONS);
    expect(fixture.feed('tcp_retransmit_skb', { time: SECOND, to: 'ESTABLISHED' })).toEqual([]);
    expect(fixture.change('ESTABLISHED', 'CLOSE', { time: SECOND })).toEqual([]);
    expect(fixture.feed('tcp_send_reset', { time: SECOND, to: 'CLOSE' })).toEqual([]);
    expect(fixture.ledger.filtered).toEqual({ own_traffic: 8 });
    expect(connect(fixture, { socket: 0x2000, thread: 8 })).toHaveLength(4);
  });

  test("is the agent's own traffic whose beginning was not seen, by the ports of its sinks", () => {
    const fixture = createNormalizerFixture({
      ownPid: 7,
      ownSockets: [{ localPort: 40_000, remotePort: 443 }],
    });
    const ends = { localPort: 40_000, remotePort: 443, thread: 9, to: 'ESTABLISHED' } as const;
    expect(fixture.feed('tcp_retransmit_skb', { ...ends, time: SECOND })).toEqual([]);
    expect(fixture.feed('tcp_retransmit_skb', { ...ends, localPort: 40_001, time: SECOND })).toHaveLength(1);
    expect(fixture.ledger.filtered).toEqual({ own_traffic: 1 });
  });

  test('is not decided by what merely ran on the CPU', () => {
    const fixture = createNormalizerFixture({ exclusions: { comms: new Set(['task9']) } });
    const ends = { localPort: 40_000, remotePort: 443, thread: 9, to: 'ESTABLISHED' } as const;
    expect(fixture.feed('tcp_retransmit_skb', { ...ends, time: SECOND })).toHaveLength(1);
  });

  test('is not what others open to the agent, such as a scrape of its metrics', () => {
    const fixture = createNormalizerFixture({ ownPid: 7 });
    expect(accept(fixture)).toHaveLength(3);
    const ends = { localPort: 443, remotePort: 50_000, thread: 7, inTask: true };
    expect(fixture.change('ESTABLISHED', 'FIN_WAIT1', { ...ends, time: SECOND })).toHaveLength(1);
    fixture.normalizer.choose(new Set(SINGLE_EVENT_KINDS), NO_EXCLUSIONS);
    expect(fixture.change('FIN_WAIT1', 'CLOSE', { ...ends, time: 2 * SECOND })).toHaveLength(2);
    expect(fixture.ledger.filtered).toEqual({});
  });

  test('is an event that is switched off', () => {
    const fixture = createNormalizerFixture({ events: ['tcp_life'] });
    connect(fixture);
    const end = fixture.change('ESTABLISHED', 'CLOSE', { time: SECOND });
    expect(only(end)).toMatchObject({ kind: 'tcp_life', ordinal: 0, durationUs: 990_000 });
    expect(fixture.ledger.filtered).toEqual({ event_disabled: 5 });
  });

  test('is what is not TCP', () => {
    const fixture = createNormalizerFixture();
    expect(fixture.change('CLOSE', 'SYN_SENT', { protocol: 132 })).toEqual([]);
    expect(fixture.ledger.filtered).toEqual({ not_tcp: 1 });
    expect(fixture.normalizer.connections).toBe(0);
  });
});

describe('the count of retransmits in a life', () => {
  const life = (fixture: ReturnType<typeof createNormalizerFixture>) =>
    fixture.change('ESTABLISHED', 'CLOSE', { time: 9 * SECOND }).find(({ kind }) => kind === 'tcp_life')
      ?.retransmits;

  test('is whole for a connection seen from its start', () => {
    const fixture = createNormalizerFixture();
    connect(fixture);
    fixture.feed('tcp_retransmit_skb', { time: SECOND, to: 'ESTABLISHED' });
    expect(life(fixture)).toBe(1);
  });

  test('is not known of a connection during which records were lost, and is again of later ones', () => {
    const fixture = createNormalizerFixture();
    connect(fixture);
    fixture.normalizer.lost();
    expect(life(fixture)).toBe(UNKNOWN);
    connect(fixture);
    expect(life(fixture)).toBe(0);
  });
});

describe('the bound on connections', () => {
  test('forgets the one longest without a record, and counts it', () => {
    const fixture = createNormalizerFixture({ maxConnections: 2 });
    const [first] = connect(fixture, { socket: 1 });
    const [second] = connect(fixture, { socket: 2 });
    fixture.feed('tcp_retransmit_skb', { socket: 1, time: SECOND, to: 'ESTABLISHED' });
    connect(fixture, { socket: 3 });
    expect([fixture.normalizer.connections, fixture.normalizer.evicted]).toEqual([2, 1]);
    const kept = only(fixture.change('ESTABLISHED', 'FIN_WAIT1', { socket: 1, time: 2 * SECOND }));
    expect(kept).toMatchObject({ id: first?.id });
    const forgotten = only(fixture.change('ESTABLISHED', 'FIN_WAIT1', { socket: 2, time: 2 * SECOND }));
    expect(forgotten.id).not.toBe(second?.id);
    expect(forgotten).toMatchObject({ durationUs: -1, direction: 'unknown' });
    expect(fixture.normalizer.evicted).toBe(2);
  });

  test('releases what waits', () => {
    const fixture = createNormalizerFixture({ maxConnections: 2 });
    for (const socket of [1, 2]) fixture.change('CLOSE', 'SYN_SENT', { socket, time: socket, localPort: 0 });
    const released = fixture.change('CLOSE', 'SYN_SENT', { socket: 3, time: 3, localPort: 0 });
    expect(released.map(({ kind, time, localPort }) => [kind, time, localPort])).toEqual([
      ['tcp_state', 1, 0],
      ['tcp_connect', 1, 0],
    ]);
    expect(fixture.ledger.held).toBe(2);
  });
});

test('a flood of SYNs that nobody completes does not grow the heap', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const ledger = createLedger([]);
  const normalizer = createNormalizer({
    tasks: () => ({ pid: 0, comm: 'swapper/0' }),
    session: 'cafe0123',
    maxConnections: 1024,
    countsRetransmits: true,
    recordsAccepts: false,
    ledger,
    events: new Set(SINGLE_EVENT_KINDS),
    exclusions: NO_EXCLUSIONS,
    limits: NO_LIMITS,
    summaries: NO_SUMMARIES,
    ownPid: null,
    ownSockets: () => [],
    emit() {},
    onSettled() {},
  });
  const record = recordOf('tcp_retransmit_synack', { localPort: 443 });
  const flood = (from: number, to: number) => {
    for (let peer = from; peer < to; peer++) {
      // The kernel uses the memory of requests that have expired again.
      record.request = 0x1000 + (peer % 512) * 64;
      record.remotePort = 1 + (peer % 65_535);
      record.bytes.writeUInt32LE(peer, record.remoteAddress);
      normalizer.accept(record);
    }
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = flood(0, 10_000);
  const after = flood(10_000, 160_000);
  // One that is kept for each costs some 800 bytes.
  expect(after - before).toBeLessThan(150_000 * 100);
  expect(normalizer.connections).toBe(512);
  expect(imbalances(ledger)).toEqual([]);
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
