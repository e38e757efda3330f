/** What all events of one run of the agent have in common. */
import type { KernelIdentity } from '../source/host/identity.ts';

export interface HostFacts {
  readonly kernel: KernelIdentity;
  /** Part of every event id. */
  readonly session: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What all event ids of one run begin with; the CPU and the ordinal follow, with a dash between them. */
export function eventIdStart({ kernel, session }: Pick<HostFacts, 'kernel' | 'session'>): string {
  return `${kernel.bootId}-${session}-`;
}
