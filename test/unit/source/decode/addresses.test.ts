import { describe, expect, it } from 'vitest';
import { ABSENT } from '../../../../src/source/decode/record.ts';
import {
  ANY6,
  common,
  IPV4,
  IPV4_LOCAL,
  IPV4_REMOTE,
  IPV6_LOCAL,
  IPV6_REMOTE,
  mapped,
  read,
  readerOf,
  SOCKET,
  SOCKET_NUMBER,
  sockaddr4,
  sockaddr6,
  tail,
  u16,
  u32,
  u64,
} from './record-bytes.ts';

describe('a reset', () => {
  const sent = (local: readonly number[], remote: readonly number[], socket = SOCKET, state = 1) => [
    ...common(),
    ...u64(0n),
    ...u64(socket),
    ...u32(state),
    ...u32(4),
    ...local,
    ...remote,
  ];
  const reader = readerOf('6.18', 'tcp_send_reset');

  it('has its addresses in a sockaddr, ports in network order', () => {
    const { ok, record, local, remote } = read(
      reader,
      sent(sockaddr4(443, IPV4_LOCAL), sockaddr4(40_000, IPV4_REMOTE)),
    );
    expect(ok).toBe(true);
    expect(record).toMatchObject({ addressLength: 4, localPort: 443, remotePort: 40_000, newState: 1 });
    expect([local, remote]).toEqual([IPV4_LOCAL, IPV4_REMOTE]);
  });

  it('the same over IPv6, and mapped', () => {
    const six = read(reader, sent(sockaddr6(443, IPV6_LOCAL), sockaddr6(40_000, IPV6_REMOTE)));
    expect(six.ok).toBe(true);
    expect(six.record).toMatchObject({ addressLength: 16, localPort: 443, remotePort: 40_000 });
    expect([six.local, six.remote]).toEqual([IPV6_LOCAL, IPV6_REMOTE]);
    const four = read(
      reader,
      sent(sockaddr6(443, mapped(IPV4_LOCAL)), sockaddr6(40_000, mapped(IPV4_REMOTE))),
    );
    expect([four.local, four.remote]).toEqual([IPV4_LOCAL, IPV4_REMOTE]);
  });

  it('that no socket took part in has none, and no state', () => {
    const bytes = sent(sockaddr4(81, IPV4_LOCAL), sockaddr4(40_000, IPV4_REMOTE), 0n, 0);
    const { ok, record } = read(reader, bytes);
    expect([ok, record.socket, record.newState]).toEqual([true, 0, 0]);
  });

  it('without addresses is malformed: the kernel leaves them zero where it knows none', () => {
    expect(read(reader, sent(ANY6.concat(ANY6.slice(0, 12)), ANY6.concat(ANY6.slice(0, 12)))).ok).toBe(false);
  });

  it('of 6.1 has them in fields', () => {
    const bytes = [
      ...common(),
      ...u64(0n),
      ...u64(SOCKET),
      ...u32(4),
      ...u16(443),
      ...u16(40_000),
      ...u16(2),
      ...tail(IPV4),
    ];
    const { ok, record, local } = read(readerOf('6.1', 'tcp_send_reset'), bytes);
    expect([ok, record.localPort, record.newState]).toEqual([true, 443, 4]);
    expect(local).toEqual(IPV4_LOCAL);
  });

  it('that was received has no skb before its socket', () => {
    const bytes = [...common(), ...u64(SOCKET), ...u16(40_000), ...u16(443), ...u16(2), ...tail(IPV4)];
    const cookie = [...Array.from({ length: (8 - (bytes.length % 8)) % 8 }, () => 0), ...u64(99n)];
    const { ok, record, remote } = read(readerOf('6.1', 'tcp_receive_reset'), [...bytes, ...cookie]);
    expect(ok).toBe(true);
    expect(record).toMatchObject({ socket: SOCKET_NUMBER, newState: ABSENT, remotePort: 443 });
    expect(remote).toEqual(IPV4_REMOTE);
  });
});
