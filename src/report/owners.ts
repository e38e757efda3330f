/** Whose an address was at a time, as the host_status events of the input say. */

/** A host that named an address as its own: from its first to its last host_status with it. */
interface Claim {
  readonly host: number;
  firstS: number;
  lastS: number;
}

/** A host number; or several hosts had the address at that time; or none. */
export type Owner = number | 'ambiguous' | 'unknown';

interface Watch {
  firstS: number;
  lastS: number;
  /** The time between its last two host_status events. */
  intervalS: number;
}

export interface Owners {
  /** A host_status of the host, at a time in seconds. */
  claim(host: number, addresses: readonly string[], second: number): void;
  ownerAt(address: string, second: number): Owner;
}

/** Of an agent that told once only: the default of host_status.interval_s. */
const INTERVAL_S = 60;

export function createOwners(): Owners {
  const claims = new Map<string, Claim[]>();
  const watches = new Map<number, Watch>();

  function watch(host: number, second: number): void {
    const known = watches.get(host);
    if (known === undefined) watches.set(host, { firstS: second, lastS: second, intervalS: INTERVAL_S });
    else {
      if (second > known.lastS) known.intervalS = second - known.lastS;
      known.firstS = Math.min(known.firstS, second);
      known.lastS = Math.max(known.lastS, second);
    }
  }

  /** A host had its first addresses before its first host_status of the input too, and its last for an interval more. */
  function covers({ host, firstS, lastS }: Claim, second: number): boolean {
    const watched = watches.get(host);
    if (watched === undefined) return false;
    const from = firstS === watched.firstS ? Number.NEGATIVE_INFINITY : firstS;
    return second >= from && second < lastS + watched.intervalS;
  }

  return {
    claim(host, addresses, second) {
      watch(host, second);
      for (const address of addresses) {
        const ofAddress = claims.get(address) ?? [];
        const mine = ofAddress.find((claim) => claim.host === host);
        if (mine === undefined) ofAddress.push({ host, firstS: second, lastS: second });
        else {
          mine.firstS = Math.min(mine.firstS, second);
          mine.lastS = Math.max(mine.lastS, second);
        }
        claims.set(address, ofAddress);
      }
    },
    ownerAt(address, second) {
      const covering = (claims.get(address) ?? []).filter((claim) => covers(claim, second));
      const [only, ...others] = covering;
      if (only === undefined) return 'unknown';
      return others.length === 0 ? only.host : 'ambiguous';
    },
  };
}
