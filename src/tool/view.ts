/** How a session shows its events. */
import type { EventDraft } from '../event/draft.ts';
import type { TraceClock } from '../source/clock.ts';
import type { KernelIdentity } from '../source/host/identity.ts';

/** What a view has to know about the source. */
export interface Facts {
  readonly clock: TraceClock;
  readonly kernel: KernelIdentity;
  readonly session: string;
  /** True for this kernel at this moment, false for a recording. */
  readonly isLive: boolean;
}

/** Collects output, which the session writes after each reading. */
export interface View {
  /** The draft is valid only during this call. */
  event(draft: EventDraft): void;
  /** Takes the text that is to be written now. */
  take(): string;
  /** The text that is to be written at the end. */
  end(): string;
}
