/** Overload protection: a token bucket for each kind of event, on the events' own time, so that a replay gives the same. */
import { SINGLE_EVENT_KINDS, type SingleEventKind } from './kinds.ts';

export interface LimitSettings {
  /** Whole events a second of trace time, at most; 0 is no limit. */
  readonly perSecond: Readonly<Record<SingleEventKind, number>>;
  /** Whole seconds for which a bucket saves up what it did not need: rate × burst may come at once. */
  readonly burstSeconds: number;
}

export interface Limits {
  /**
   * Takes a token for one event of this kind; false when there is none, and the event has to be suppressed. Time that
   * goes back, as for events that connection tracking held, fills no bucket.
   *
   * @param time trace time, ns
   */
  admits(kind: SingleEventKind, time: number): boolean;
  /** Takes effect with the next event. A bucket keeps what it holds, as far as it still fits. */
  set(settings: LimitSettings): void;
}

/** For those who show events and deliver none. */
export const NO_LIMITS: Pick<Limits, 'admits'> = { admits: () => true };

/**
 * Credit is counted in nanoseconds times events a second, of which an event takes a billion: whole numbers, so nothing
 * is ever rounded. They stay exact as long as rate × burst does, which the bounds of the configuration see to.
 */
const EVENT = 1_000_000_000;
const NS_PER_SECOND = 1_000_000_000;

interface Bucket {
  rate: number;
  capacity: number;
  credit: number;
  /** Trace time up to which it has been filled. */
  filledAt: number;
}

export function createLimits(settings: LimitSettings): Limits {
  const buckets = new Map<SingleEventKind, Bucket>(
    // A first event finds its bucket full, having been filled for ever.
    SINGLE_EVENT_KINDS.map((kind) => [
      kind,
      { rate: 0, capacity: 0, credit: 0, filledAt: Number.NEGATIVE_INFINITY },
    ]),
  );
  let burstNs = 0;
  let limited = false;

  function set({ perSecond, burstSeconds }: LimitSettings): void {
    burstNs = burstSeconds * NS_PER_SECOND;
    limited = false;
    for (const [kind, bucket] of buckets) {
      bucket.rate = perSecond[kind];
      bucket.capacity = bucket.rate * burstNs;
      bucket.credit = Math.min(bucket.credit, bucket.capacity);
      limited ||= bucket.rate > 0;
    }
  }

  function fill(bucket: Bucket, time: number): void {
    const elapsed = time - bucket.filledAt;
    if (elapsed <= 0) return;
    bucket.filledAt = time;
    bucket.credit =
      elapsed >= burstNs ? bucket.capacity : Math.min(bucket.capacity, bucket.credit + elapsed * bucket.rate);
  }

  set(settings);
  return {
    admits(kind, time) {
      if (!limited) return true;
      const bucket = buckets.get(kind);
      if (bucket === undefined || bucket.rate === 0) return true;
      fill(bucket, time);
      if (bucket.credit < EVENT) return false;
      bucket.credit -= EVENT;
      return true;
    },
    set,
  };
}
