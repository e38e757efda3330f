/** What the host says of itself: its addresses, the kernel's own counters, and those of its network interfaces. */
import { readFileSync, readlinkSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { isSystemError } from '../../shared/errors.ts';
import { unicastAddresses } from './addresses.ts';
import { parseCounters } from './counters.ts';
import { readInterfaces } from './interfaces.ts';

/** Of the network namespace of this process, at one moment. */
export interface HostReport {
  /** Trace time, ns. */
  readonly time: number;
  /** Inode of that namespace; null where it cannot be read. */
  readonly netns: number | null;
  /** Unicast, RFC 5952 text; neither loopback nor IPv6 link-local. */
  readonly addresses: readonly string[];
  /** By the name that nstat(8) shows, with a dot behind the protocol: `Tcp.RetransSegs`. */
  readonly counters: Readonly<Record<string, number>>;
  /** By interface, without `lo`; the names of rtnl_link_stats64 (include/uapi/linux/if_link.h). */
  readonly interfaces: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export interface HostReporter {
  /** Everything that this process may read; what it may not is absent. `time` is the trace time of now, ns. */
  read(time: number): HostReport;
}

/**
 * Needs no privilege: every user may read these files.
 *
 * @param onProblem is called once for each part that cannot be read, in one line
 */
export function createHostReporter(onProblem: (problem: string) => void): HostReporter {
  const reported = new Set<string>();

  function attempt<Part>(what: string, read: () => Part, none: Part): Part {
    try {
      return read();
    } catch (error) {
      // Node.js gives an error of getifaddrs(3) no code of errno(3): `ERR_SYSTEM_ERROR`.
      if (!isSystemError(error) && !(error instanceof Error && 'code' in error)) throw error;
      if (!reported.has(what)) onProblem(`host_status is without ${what}: ${error.message}`);
      reported.add(what);
      return none;
    }
  }

  const countersOf = (file: string) =>
    attempt(`the counters of ${file}`, () => parseCounters(readFileSync(file, 'latin1')), {});

  return {
    read(time) {
      // First, as they are compared with the events up to that time.
      const counters = { ...countersOf('/proc/net/snmp'), ...countersOf('/proc/net/netstat') };
      return {
        time,
        netns: attempt('its network namespace', readNamespace, null),
        addresses: attempt('addresses', () => unicastAddresses(networkInterfaces()), []),
        counters,
        interfaces: attempt('interfaces', () => readInterfaces('/proc/net/dev', '/sys/class/net'), {}),
      };
    },
  };
}

/** The link reads `net:[4026531840]`. */
function readNamespace(): number | null {
  const inode = /\d+/.exec(readlinkSync('/proc/self/ns/net'))?.[0];
  return inode === undefined ? null : Number(inode);
}
