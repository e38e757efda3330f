/** What only tcp_trace.ko tells, and what the normalizer makes of it. */
import { describe, expect, test } from 'vitest';
import type { TcpRecord } from '../../../src/source/decode/record.ts';
import type { ExistingConnection } from '../../../src/source/host/sockets.ts';
import {
  addressBytes,
  createNormalizerFixture,
  MILLISECOND,
  type NormalizerFixture,
} from '../../support/record-builder.ts';
import { taskOf } from '../../support/tasks.ts';

const MEASURES: Partial<TcpRecord> = {
  netns: 4_026_531_840,
  srttUs: 5000,
  rttvarUs: 700,
  congestionWindow: 12,
  slowStartThreshold: 9,
  totalRetransmits: 3,
};

const moduleBench = (): NormalizerFixture => createNormalizerFixture({ recordsAccepts: true });

/** A child of a listening socket, whose making tcp_set_state() does not see. */
function establishChild(fixture: NormalizerFixture) {
  return fixture.change('SYN_RECV', 'ESTABLISHED', { localPort: 443, remotePort: 50_000 });
}

describe('accept(2)', () => {
  const child = { localPort: 443, remotePort: 50_000 };

  test('comes when the program takes the connection, which it owns from then on', () => {
    const fixture = moduleBench();
    const [established, ...none] = establishChild(fixture);
    expect(none).toEqual([]);
    expect(established).toMatchObject({ kind: 'tcp_state', direction: 'passive', isOwner: false });
    const [accepted] = fixture.feed('inet_csk_accept', {
      ...child,
      thread: 31,
      inTask: true,
      to: 'ESTABLISHED',
    });
    expect(accepted).toMatchObject({
      kind: 'tcp_accept',
      id: established?.id,
      direction: 'passive',
      pid: 31,
      isOwner: true,
    });
    const [closing] = fixture.change('ESTABLISHED', 'CLOSE_WAIT', { ...child, thread: 0 });
    expect(closing).toMatchObject({ pid: 31, isOwner: true });
  });

  test('of a connection that the peer has reset meanwhile remembers nothing', () => {
    const fixture = moduleBench();
    establishChild(fixture);
    fixture.change('ESTABLISHED', 'CLOSE', child);
    expect(fixture.normalizer.connections).toBe(0);
    const [accepted] = fixture.feed('inet_csk_accept', { ...child, thread: 31, to: 'CLOSE' });
    expect(accepted).toMatchObject({ kind: 'tcp_accept', pid: 31 });
    expect(fixture.normalizer.connections).toBe(0);
  });

  test('tells that a connection is passive whose beginning was not seen', () => {
    const fixture = moduleBench();
    expect(fixture.change('ESTABLISHED', 'CLOSE_WAIT', child)[0]).toMatchObject({ direction: 'unknown' });
    expect(fixture.feed('inet_csk_accept', { ...child, to: 'CLOSE_WAIT' })[0]).toMatchObject({
      direction: 'passive',
    });
  });
});

describe('a retransmit', () => {
  const kindOf = (state: 'ESTABLISHED' | 'SYN_SENT', fields: Partial<TcpRecord>) =>
    moduleBench().feed('tcp_retransmit_skb', { to: state, ...MEASURES, ...fields })[0]?.retransmitKind;

  test.each([
    ['a SYN', 'syn', 'SYN_SENT', { congestionState: 4, timeouts: 1 }],
    ['a timeout: the connection is in Loss', 'rto', 'ESTABLISHED', { congestionState: 4, timeouts: 0 }],
    ['a further timeout', 'rto', 'ESTABLISHED', { congestionState: 0, timeouts: 2 }],
    ['fast: in Recovery', 'fast', 'ESTABLISHED', { congestionState: 3, timeouts: 0 }],
    ['a smaller MTU', 'unknown', 'ESTABLISHED', { congestionState: 0, timeouts: 0 }],
  ] as const)('%s is %s', (_, kind, state, fields) => {
    expect(kindOf(state, fields)).toBe(kind);
  });

  test('carries segment and measures', () => {
    const segment = { sequence: 4_000_000_000, segmentBytes: 1448 };
    const sent = { bytesAcknowledged: 5_000_000_000, segmentsSent: 3_500_000 };
    const fields = { congestionState: 3, timeouts: 0, ...segment, ...sent };
    const [event] = moduleBench().feed('tcp_retransmit_skb', { to: 'ESTABLISHED', ...MEASURES, ...fields });
    expect(event).toMatchObject({
      netns: 4_026_531_840,
      sequence: 4_000_000_000,
      segmentBytes: 1448,
      bytesSent: 5_000_000_000,
      segmentsSent: 3_500_000,
      srttUs: 5000,
      rttvarUs: 700,
      congestionWindow: 12,
      slowStartThreshold: 9,
      totalRetransmits: 3,
    });
  });

  test('does not say what its connection has sent under API 1, and for a SYN-ACK', () => {
    const fixture = moduleBench();
    const unknown = { bytesSent: -1, segmentsSent: -1 };
    fixture.feed('tcp_retransmit_skb', { to: 'ESTABLISHED', bytesAcknowledged: 5, segmentsSent: 6 });
    expect(fixture.feed('tcp_retransmit_skb', { to: 'ESTABLISHED' })[0]).toMatchObject(unknown);
    const synAck = { localPort: 443, remotePort: 50_000, request: 9 };
    expect(fixture.feed('tcp_retransmit_synack', synAck)[0]).toMatchObject(unknown);
  });

  test('has no round trip before the first sample, and no threshold before the first loss', () => {
    const fields = { ...MEASURES, srttUs: 0, rttvarUs: 250_000, slowStartThreshold: 0x7fff_ffff };
    const [event] = moduleBench().feed('tcp_retransmit_skb', { to: 'SYN_SENT', ...fields });
    expect(event).toMatchObject({ srttUs: -1, rttvarUs: -1, slowStartThreshold: -1, congestionWindow: 12 });
  });

  test('by a loss probe is tlp; a probe with new data is none, and counted', () => {
    const fixture = moduleBench();
    const [probe] = fixture.feed('tcp_send_loss_probe', { to: 'ESTABLISHED', newData: 0, ...MEASURES });
    expect(probe).toMatchObject({ kind: 'tcp_retransmit', retransmitKind: 'tlp', state: 'ESTABLISHED' });
    expect(fixture.feed('tcp_send_loss_probe', { to: 'ESTABLISHED', newData: 1, ...MEASURES })).toEqual([]);
    expect(fixture.ledger.filtered).toEqual({ new_data: 1 });
  });
});

test('a life has what the connection carried, and the kernel’s own count of retransmits', () => {
  const fixture = moduleBench();
  establishChild(fixture);
  const totals = { bytesAcknowledged: 5_000_000_000, bytesReceived: 7, segmentsSent: 9, segmentsReceived: 8 };
  const events = fixture.change('ESTABLISHED', 'CLOSE', {
    localPort: 443,
    remotePort: 50_000,
    time: 3 * MILLISECOND,
    ...MEASURES,
    ...totals,
  });
  expect(events.find(({ kind }) => kind === 'tcp_life')).toMatchObject({
    durationUs: 3000,
    bytesSent: 5_000_000_000,
    bytesReceived: 7,
    segmentsSent: 9,
    segmentsReceived: 8,
    retransmits: 3,
    totalRetransmits: 3,
    srttUs: 5000,
  });
});

describe('a connection older than the agent', () => {
  const hexadecimal = (address: string) => addressBytes(address).toString('hex');
  const existing: ExistingConnection = {
    netns: 4_026_531_840,
    local: hexadecimal('10.0.0.1'),
    localPort: 443,
    remote: hexadecimal('10.0.0.2'),
    remotePort: 50_000,
    direction: 'passive',
    owner: taskOf(80, 'nginx'),
  };
  const record = { localPort: 443, remotePort: 50_000, netns: existing.netns };
  const known = { direction: 'passive', pid: 80, comm: 'nginx', isOwner: true };

  test('has its owner and direction from its first record on', () => {
    const fixture = moduleBench();
    fixture.normalizer.existing([existing]);
    expect(fixture.feed('tcp_retransmit_skb', { ...record, to: 'ESTABLISHED' })[0]).toMatchObject(known);
    expect(fixture.change('ESTABLISHED', 'CLOSE_WAIT', record)[0]).toMatchObject(known);
  });

  test('is found without a namespace too, unless two namespaces have it', () => {
    const seen = (connections: readonly ExistingConnection[]) => {
      const fixture = createNormalizerFixture();
      fixture.normalizer.existing(connections);
      return fixture.change('ESTABLISHED', 'CLOSE_WAIT', { ...record, netns: -1 })[0];
    };
    expect(seen([existing])).toMatchObject(known);
    expect(seen([existing, { ...existing, netns: 7 }])).toMatchObject({
      direction: 'unknown',
      isOwner: false,
    });
  });

  test('is not taken for another at the same ends', () => {
    const fixture = moduleBench();
    fixture.normalizer.existing([existing]);
    // Closed before its end could be traced; the peer has come again by the same port.
    expect(establishChild(fixture)[0]).toMatchObject({ direction: 'passive', isOwner: false });
    fixture.change('ESTABLISHED', 'CLOSE', record);
    expect(fixture.change('ESTABLISHED', 'CLOSE_WAIT', record)[0]).toMatchObject({ direction: 'unknown' });
  });

  test('in another namespace is another', () => {
    const fixture = moduleBench();
    fixture.normalizer.existing([existing]);
    const [event] = fixture.change('ESTABLISHED', 'CLOSE_WAIT', { ...record, netns: 7 });
    expect(event).toMatchObject({ direction: 'unknown', isOwner: false });
  });
});
