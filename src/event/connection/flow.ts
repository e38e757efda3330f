/** The two endpoints of a connection. */

/** Both endpoints of a connection. Null is what no record has told yet; port 0 is a port like any other. */
export interface Flow {
  /** Null where an IPv6 socket may turn out to talk IPv4. */
  readonly version: 4 | 6 | null;
  readonly localAddress: string | null;
  readonly localPort: number | null;
  /** Null together with `remotePort`, also where there is no peer. */
  readonly remoteAddress: string | null;
  readonly remotePort: number | null;
  readonly communityId: string | null;
}
