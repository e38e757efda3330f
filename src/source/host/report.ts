/** What the host says of itself: its addresses, the kernel's own counters, and those of its network interfaces. */

/** Of one network namespace, at one moment. */
export interface HostReport {
  /** Inode of that namespace; null where it cannot be read. */
  readonly netns: number | null;
  /** Unicast, RFC 5952 text; neither loopback nor IPv6 link-local. */
  readonly addresses: readonly string[];
  /** By the name that nstat(8) shows, with a dot behind the protocol: `Tcp.RetransSegs`. */
  readonly counters: Readonly<Record<string, number>>;
  /** By interface, without `lo`; the names of rtnl_link_stats64 (include/uapi/linux/if_link.h). */
  readonly interfaces: Readonly<Record<string, Readonly<Record<string, number>>>>;
}
