/** What a session shows its events through. */
import type { EventDraft } from '../event/draft.ts';
import type { TraceClock } from '../source/clock.ts';
import type { KernelIdentity } from '../source/host/identity.ts';

/** What a view has to know of the source. */
export interface Facts {
  readonly clock: TraceClock;
  readonly kernel: KernelIdentity;
  readonly session: string;
  /** Of this kernel and this moment, not of a recording. */
  readonly isLive: boolean;
}

/** Collects output; the session writes it when the events of one reading have been given. */
export interface View {
  /** The draft holds for this call. */
  event(draft: EventDraft): void;
  /** What is to be written now; empty for nothing. */
  take(): string;
  /** What is left to be said at the end. */
  end(): string;
}
