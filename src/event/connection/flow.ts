/** The two endpoints of a connection. */

/** Both endpoints of a connection; ports are 0 where there is none. */
export interface Flow {
  readonly version: 4 | 6;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly communityId: string | null;
}
