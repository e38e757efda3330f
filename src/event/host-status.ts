/** What a `host_status` tells: the agent, its account, and what the host's kernel has counted itself. */
import type { FlatAccount } from '../ledger/flat-account.ts';
import type { HostReport } from '../source/host/report.ts';
import type { SourceKind } from './kinds.ts';

/** What the agent says of itself in every `host_status`. */
export interface AgentFacts {
  readonly version: string;
  readonly sourceKind: SourceKind;
  /** `configHash` of src/config/hash.ts. */
  readonly configHash: string;
}

/** What a `host_status` is made of. */
export interface StatusParts {
  readonly agent: AgentFacts;
  readonly report: HostReport;
  /** Before this event is booked. */
  readonly ledger: FlatAccount;
}

export interface HostStatus extends StatusParts {
  readonly uptimeSeconds: number;
  /** By CPU: how many events this trace session has emitted before this one. */
  readonly ordinals: Readonly<Record<string, number>>;
  /** Its members as JSON, made once. */
  json: Uint8Array | null;
}

/** In a draft of another kind. */
export const NO_STATUS: HostStatus = {
  agent: { version: '', sourceKind: 'replay', configHash: '' },
  uptimeSeconds: 0,
  report: { time: 0, netns: null, addresses: [], counters: {}, interfaces: {} },
  ledger: {},
  ordinals: {},
  json: null,
};
