/** The addresses by which others know this host. */
import type { NetworkInterfaceInfo } from 'node:os';

/** Of a node of a container cluster; other hosts have a few. */
const MAX_ADDRESSES = 512;

type Interfaces = Readonly<Partial<Record<string, readonly Pick<NetworkInterfaceInfo, 'address'>[]>>>;

/**
 * Every address once, in the kernel's order. Of `lo`, too, where load balancers put a virtual address: loopback is told
 * by the address, not by the interface.
 */
export function unicastAddresses(interfaces: Interfaces): string[] {
  const all = Object.values(interfaces).flatMap((its = []) =>
    its.map(({ address }) => address.toLowerCase()),
  );
  return [...new Set(all)].filter(isKnownToOthers).slice(0, MAX_ADDRESSES);
}

/** Neither 127.0.0.0/8 nor ::1, nor fe80::/10, which is unique on its link only. */
function isKnownToOthers(address: string): boolean {
  return !address.startsWith('127.') && address !== '::1' && !/^fe[89ab][0-9a-f]:/.test(address);
}
