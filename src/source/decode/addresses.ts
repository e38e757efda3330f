/** Reads the addresses and ports of a record, in the two forms that kernels have. */
import type { EventFormat } from './format.ts';
import type { TcpRecord } from './record.ts';

const FAMILY_INET = 2;
const FAMILY_INET6 = 10;

/** Reads addresses and ports of the record at `at`; false if the address family is neither IPv4 nor IPv6. */
export type AddressReader = (record: TcpRecord, bytes: Buffer, at: number) => boolean;

/** Size of `saddr` as a `struct sockaddr_in6`. */
const SOCKET_ADDRESS_BYTES = 28;

/**
 * Resets have a sockaddr in `saddr[28]` since Linux 6.10. Before, and in all other events, `saddr[4]` and `sport` are
 * fields of their own (include/trace/events/tcp.h).
 */
function hasSocketAddresses(format: EventFormat): boolean {
  return format.fields.get('saddr')?.size === SOCKET_ADDRESS_BYTES;
}

/** The fields that the reader of `createAddressReader` needs. */
export function addressFields(format: EventFormat): readonly string[] {
  return hasSocketAddresses(format)
    ? ['saddr', 'daddr']
    : ['sport', 'dport', 'family', 'saddr', 'daddr', 'saddr_v6', 'daddr_v6'];
}

/** Builds the reader. The format must have all of `addressFields`. */
export function createAddressReader(format: EventFormat): AddressReader {
  return hasSocketAddresses(format) ? createSocketAddressReader(format) : createFieldAddressReader(format);
}

/** Whether an address is in ::ffff:0:0/96. */
function isMapped(bytes: Buffer, at: number): boolean {
  for (let index = 0; index < 10; index++) if (bytes[at + index] !== 0) return false;
  return bytes[at + 10] === 0xff && bytes[at + 11] === 0xff;
}

function useVersion6(record: TcpRecord, bytes: Buffer, local: number, remote: number): void {
  // A mapped peer makes the connection IPv4, whatever the socket. A listener on :: has a peer of all zeros.
  if (isMapped(bytes, remote) || isMapped(bytes, local)) {
    record.addressLength = 4;
    record.localAddress = local + 12;
    record.remoteAddress = remote + 12;
  } else {
    record.addressLength = 16;
    record.localAddress = local;
    record.remoteAddress = remote;
  }
}

function createFieldAddressReader(format: EventFormat): AddressReader {
  const at = (name: string): number => format.fields.get(name)?.offset ?? 0;
  const [familyAt, localPortAt, remotePortAt] = [at('family'), at('sport'), at('dport')];
  const [local4, remote4, local6, remote6] = [at('saddr'), at('daddr'), at('saddr_v6'), at('daddr_v6')];
  return (record, bytes, start) => {
    const family = bytes.readUInt16LE(start + familyAt);
    record.localPort = bytes.readUInt16LE(start + localPortAt);
    record.remotePort = bytes.readUInt16LE(start + remotePortAt);
    if (family === FAMILY_INET6) {
      useVersion6(record, bytes, start + local6, start + remote6);
      return true;
    }
    record.addressLength = 4;
    record.localAddress = start + local4;
    record.remoteAddress = start + remote4;
    return family === FAMILY_INET;
  };
}

/** `struct sockaddr_in` and `sockaddr_in6`: family in host order, port in network order, address at 4 or 8. */
function createSocketAddressReader(format: EventFormat): AddressReader {
  const localAt = format.fields.get('saddr')?.offset ?? 0;
  const remoteAt = format.fields.get('daddr')?.offset ?? 0;
  return (record, bytes, start) => {
    const local = start + localAt;
    const remote = start + remoteAt;
    const family = bytes.readUInt16LE(local);
    record.localPort = bytes.readUInt16BE(local + 2);
    record.remotePort = bytes.readUInt16BE(remote + 2);
    if (family === FAMILY_INET6) {
      useVersion6(record, bytes, local + 8, remote + 8);
      return true;
    }
    record.addressLength = 4;
    record.localAddress = local + 4;
    record.remoteAddress = remote + 4;
    return family === FAMILY_INET;
  };
}
