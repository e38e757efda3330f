/** What the answer to a request means for its events, whatever the protocol. */
import type { RejectReason } from '../../../ledger/reasons.ts';

export type Verdict =
  /** The receiver has all events but so many, which it has refused without saying which. */
  | { readonly kind: 'accepted'; readonly refused: number; readonly message: string }
  /**
   * It will never take these events, and says why: `reason` is for the ledger, `message` for the log. `isOtlp` is false
   * where the answer is none that a receiver of OTLP gives.
   */
  | {
      readonly kind: 'refused';
      readonly reason: RejectReason;
      readonly message: string;
      readonly isOtlp: boolean;
    }
  /** The request is larger than the receiver takes: smaller ones may pass. */
  | { readonly kind: 'too_large'; readonly message: string }
  /** Nothing is lost; `mayPass` is false for what only an operator can mend. */
  | {
      readonly kind: 'retry';
      readonly reason: string;
      readonly afterMs: number | null;
      readonly mayPass: boolean;
    };

/** Longer than this no receiver can hold events back. */
const MAX_AFTER_MS = 600_000;
const MAX_MESSAGE_LENGTH = 300;

/** A wish for a pause within bounds; null, which leaves it to the pipeline, for none and for no time at all. */
export function boundedPause(milliseconds: number): number | null {
  return milliseconds > 0 ? Math.min(milliseconds, MAX_AFTER_MS) : null;
}

export function retry(reason: string, { afterMs = null as number | null, mayPass = true } = {}): Verdict {
  return { kind: 'retry', reason: oneLine(reason), afterMs, mayPass };
}

/** Somebody else's text, fit for one line of the log. */
export function oneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  return line.length <= MAX_MESSAGE_LENGTH ? line : `${line.slice(0, MAX_MESSAGE_LENGTH)}…`;
}
