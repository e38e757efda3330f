/** The interface of every source of kernel records. */
import type { FilterReason, LossReason } from '../ledger/reasons.ts';
import type { TraceClock } from './clock.ts';
import type { TcpRecord } from './decode/record.ts';
import type { KernelIdentity } from './host/identity.ts';
import type { HostReport } from './host/report.ts';
import type { ExistingConnection } from './host/sockets.ts';
import type { TaskLookup } from './host/tasks.ts';
import type { ModuleStatus } from './module/status.ts';
import type { ProbeStatus } from './probes.ts';

/** Takes everything that a source reads. Called synchronously, in the order of the kernel's time. */
export interface RecordHandler {
  /** False while the pipeline cannot take more. The source then leaves the records in the kernel. */
  ready(): boolean;
  /** The connections that existed when tracing began. Called once or never, before the first record. */
  existing(connections: readonly ExistingConnection[]): void;
  /** One record. The source uses the object again after the call returns. */
  record(record: TcpRecord): void;
  /** A record that leads to no event by itself, and why. */
  filteredRecord(reason: SourceFilter): void;
  malformedRecord(): void;
  /** A page of which the rest could not be read. */
  malformedPage(): void;
  /** Records that the kernel could not keep, and the reason. `detail` adds words for the log. */
  lost(reason: SourceLoss, records: number, detail?: string): void;
  /** Of a replay only: what the host said of itself when this was recorded. */
  host(report: HostReport): void;
  /** Every record up to this trace time was given. `more`: the round goes on, and the next records follow at once. */
  advance(time: number, more: boolean): void;
}

/** The reasons for which a source loses records. */
export type SourceLoss = Exclude<LossReason, 'crash' | 'malformed_page'>;

/**
 * `probe_filter`: the filter of its probe leaves it out, on a kernel where the source decides that itself. `task`: it tells
 * of a task.
 */
export type SourceFilter = Extract<FilterReason, 'probe_filter' | 'task'>;

/** The state of one CPU's ring buffer. */
export interface CpuStatus {
  readonly cpu: number;
  /** Records that the kernel overwrote or dropped since the source was opened. */
  readonly overrun: number;
  /** Bytes that the kernel has written and that were not read yet; null in a replay. */
  readonly unread_bytes: number | null;
}

/** Whether records of tasks tell who each thread is. Otherwise /proc is asked, again in every slice. */
export interface ProcessTracking {
  readonly enabled: boolean;
  /** Why it is not enabled although it was asked for, in one line. */
  readonly problem: string | null;
}

export interface SourceStatus {
  readonly kind: 'module' | 'tracepoints' | 'replay';
  readonly instance: string;
  /** The kernel's trace clock: `mono`, `global`, … */
  readonly clock: string;
  readonly cpus: readonly CpuStatus[];
  readonly probes: readonly ProbeStatus[];
  readonly processTracking: ProcessTracking;
  /** Null for other kinds, and if the module was unloaded by force. */
  readonly module: ModuleStatus | null;
  /** Reading waits because the pipeline is full. */
  readonly paused: boolean;
  /** What keeps records from being made at this moment, one line each; empty when nothing does. */
  readonly disturbances: readonly string[];
}

/**
 * How many records of an ftrace instance were given. The kernel's own count of records read survives an agent that was
 * killed, so the next agent knows how many records were in the memory of the killed one.
 */
export interface SourcePosition {
  /** Identifies the instance, 24 bytes: boot id and inode. A later instance of the same name has another identity. */
  readonly instance: Buffer;
  readonly records: number;
}

export interface Source {
  readonly clock: TraceClock;
  readonly tasks: TaskLookup;
  /** The number that records have for this process; null for a replay. */
  readonly ownPid: number | null;
  /** The kernel that recorded. */
  readonly kernel: KernelIdentity;
  /** The trace session, unique to this trace. It is part of every event id. */
  readonly session: string;
  /** Begins to read. Resolves when no more records will come: at the end of a replay, or after `stop`. */
  run(handler: RecordHandler): Promise<void>;
  /**
   * Gives what the kernel still holds, then closes everything. If the pipeline cannot take more, it waits for so many
   * milliseconds, 0 by default. Safe to call twice.
   */
  stop(patienceMs?: number): Promise<void>;
  /** Reads from now on so many milliseconds after the first record came. Means nothing to a replay. */
  setLinger(milliseconds: number): void;
  status(): SourceStatus;
  /** Null for a replay, which can be repeated. */
  position(): SourcePosition | null;
  /** What the host says of itself now, also when the source has stopped. Null for a replay, which gives it by itself. */
  readHost(): HostReport | null;
}

/** Takes what a live source reports beside its records, in one line each. */
export interface LiveNews {
  /** No more records will come, although the source was not stopped. */
  ended(problem: string): void;
  /** The instance could not be removed. */
  left(problem: string): void;
  /** A part of what the host says of itself cannot be read: once for each part. */
  unreadable(problem: string): void;
}
