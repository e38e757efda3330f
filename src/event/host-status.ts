/** What a `host_status` tells: the agent, its account, and what the host's kernel has counted itself. */
import type { HostReport } from '../source/host/report.ts';
import type { SourceKind } from './kinds.ts';

/** What the agent says of itself in every `host_status`. */
export interface AgentFacts {
  readonly version: string;
  readonly sourceKind: SourceKind;
  /** `configHash` of src/config/hash.ts. */
  readonly configHash: string;
}

export interface HostStatus {
  readonly agent: AgentFacts;
  readonly uptimeSeconds: number;
  readonly report: HostReport;
  /** `flatAccount` of src/ledger/flat-account.ts, before this event is booked. */
  readonly ledger: Readonly<Record<string, number>>;
  /** By CPU: how many events this trace session has emitted before this one. */
  readonly ordinals: Readonly<Record<string, number>>;
  /** Its members as JSON, made once. */
  json: Uint8Array | null;
}

/** In a draft of another kind. */
export const NO_STATUS: HostStatus = {
  agent: { version: '', sourceKind: 'replay', configHash: '' },
  uptimeSeconds: 0,
  report: { netns: null, addresses: [], counters: {}, interfaces: {} },
  ledger: {},
  ordinals: {},
  json: null,
};
