/** What the agent says about itself at one moment: the content of /status, and the source of every metric. */
import type { Ledger } from '../ledger/ledger.ts';
import type { ModuleStatus } from '../source/module/status.ts';
import type { CpuStatus } from '../source/source.ts';

/** One probe of the source, whether or not this kernel has it. */
export interface ProbeStatus {
  readonly name: string;
  readonly enabled: boolean;
  /** In the kernel's filter language; null traces all. */
  readonly filter: string | null;
  /** `kernel`, or `source`: the agent itself. */
  readonly filtered_by: string;
  /** Why it is not enabled, in one line. */
  readonly problem?: string;
}

export interface SourceStatus {
  /** `module`, `tracepoints` or `replay`. */
  readonly kind: string;
  /** Whether records can arrive. */
  readonly open: boolean;
  /** Why it is not open, in one line; null when it is. */
  readonly problem: string | null;
  /** Name of the ftrace instance; null for a replay. */
  readonly instance: string | null;
  /** The instance's `trace_clock`. */
  readonly clock: string;
  readonly cpus: readonly CpuStatus[];
  readonly probes: readonly ProbeStatus[];
  /** tcp_trace.ko; null where the events do not come from it. */
  readonly module: ModuleStatus | null;
  /** Reading waits because a sink is behind. */
  readonly paused: boolean;
  /** What keeps records from being made at this moment, one line each. */
  readonly disturbances: readonly string[];
}

export const SINK_STATES = ['opening', 'ready', 'retrying', 'failed'] as const;
export type SinkState = (typeof SINK_STATES)[number];

export interface SinkStatus {
  readonly state: SinkState;
  /** What is wrong, in one line; null when nothing is. */
  readonly problem: string | null;
  readonly batches_sent: number;
  readonly retries: number;
  /** Batches that may be in flight at a time now. */
  readonly window: number;
  /** RFC 3339, UTC; null before the first acknowledgement. */
  readonly last_acknowledged: string | null;
}

export interface SpoolStatus {
  /** Null where events are kept in memory only. */
  readonly directory: string | null;
  /** Size of its files, or of the events that wait in memory. */
  readonly bytes: number;
  readonly max_bytes: number;
  readonly segments: number;
  /** Size of the events that wait in memory only. */
  readonly memory_bytes: number;
  readonly full: boolean;
  /** Why the disk accepts no events, in one line; null when it does. */
  readonly problem: string | null;
}

export interface HostStatusState {
  /** Of the configuration in effect, as `ktc config show` prints it. */
  readonly config_hash: string;
  /** 0 where none is emitted. */
  readonly interval_s: number;
  /** Null before the first. */
  readonly last_event_id: string | null;
}

export interface ProcessStatus {
  readonly rss_bytes: number;
  /** User and system time since the start. */
  readonly cpu_seconds: number;
  /** How late the event loop ran its timers in the last one to two minutes, in seconds. */
  readonly event_loop_delay_p99_s: number;
  /** The longest such delay in the same time, in seconds. */
  readonly event_loop_delay_max_s: number;
}

export interface TelemetrySnapshot {
  readonly version: string;
  readonly host: string;
  readonly uptime_s: number;
  readonly host_status: HostStatusState;
  readonly ledger: Ledger;
  /** The ledger's equations that do not hold, each as one line (`imbalances` of src/ledger/ledger.ts). */
  readonly imbalances: readonly string[];
  readonly source: SourceStatus;
  readonly tracking: { readonly connections: number; readonly evicted: number };
  readonly spool: SpoolStatus;
  readonly sinks: Readonly<Record<string, SinkStatus>>;
  readonly process: ProcessStatus;
}

/** Why the agent does not deliver at this moment, each reason in one line; empty when it is ready. */
export function unreadiness(snapshot: TelemetrySnapshot): string[] {
  const reasons: string[] = [];
  const { source } = snapshot;
  if (!source.open) reasons.push(`source ${source.kind} is not open: ${source.problem ?? 'still starting'}`);
  else if (source.kind !== 'replay' && !source.probes.some((probe) => probe.enabled))
    reasons.push(`source ${source.kind} has no probe enabled`);
  for (const line of source.disturbances) reasons.push(`source ${source.kind} is disturbed: ${line}`);
  for (const [name, sink] of Object.entries(snapshot.sinks)) {
    if (sink.state === 'ready') continue;
    reasons.push(`sink ${name} is ${sink.state}${sink.problem === null ? '' : `: ${sink.problem}`}`);
  }
  return reasons;
}
