/** The meaning of an answer for the events of its request, for every protocol. */
import type { RejectReason } from '../../../ledger/reasons.ts';

export type Verdict =
  /** The receiver has all events except `refused` of them; it does not say which. */
  | { readonly kind: 'accepted'; readonly refused: number; readonly message: string }
  /**
   * The receiver will never take these events: `reason` is for the ledger, `message` for the log. `isOtlp` is false for
   * an answer that no receiver of OTLP gives.
   */
  | {
      readonly kind: 'refused';
      readonly reason: RejectReason;
      readonly message: string;
      readonly isOtlp: boolean;
    }
  /** The request is larger than the receiver takes: smaller requests may be accepted. */
  | { readonly kind: 'too_large'; readonly message: string }
  /** Nothing is lost; `mayPass` is false for a problem that only an operator can solve. */
  | {
      readonly kind: 'retry';
      readonly reason: string;
      readonly afterMs: number | null;
      readonly mayPass: boolean;
    };

/** The longest pause that a receiver can ask for. */
const MAX_AFTER_MS = 600_000;
const MAX_MESSAGE_LENGTH = 300;

/** The pause that a receiver asks for, bounded; null, which leaves the pause to the pipeline, if it is not above 0. */
export function boundedPause(milliseconds: number): number | null {
  return milliseconds > 0 ? Math.min(milliseconds, MAX_AFTER_MS) : null;
}

export function retry(reason: string, { afterMs = null as number | null, mayPass = true } = {}): Verdict {
  return { kind: 'retry', reason: oneLine(reason), afterMs, mayPass };
}

/** Makes text that others wrote fit into one line of the log. */
export function oneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  return line.length <= MAX_MESSAGE_LENGTH ? line : `${line.slice(0, MAX_MESSAGE_LENGTH)}…`;
}
