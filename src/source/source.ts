/** What every source of kernel records looks like to the agent. */
import type { LossReason } from '../ledger/reasons.ts';
import type { TraceClock } from './clock.ts';
import type { TcpRecord } from './decode/record.ts';
import type { KernelIdentity } from './host/identity.ts';
import type { ExistingConnection } from './host/sockets.ts';
import type { TaskLookup } from './host/tasks.ts';
import type { ModuleStatus } from './module/status.ts';
import type { ProbeStatus } from './probes.ts';

/** What a source tells as it reads. Called synchronously, in the order of the kernel's time. */
export interface RecordHandler {
  /** False while what comes after cannot take more: the source then leaves the records in the kernel. */
  ready(): boolean;
  /** The connections that were there when tracing began; before the first record, once or never. */
  existing(connections: readonly ExistingConnection[]): void;
  /** One record; the object is used again as soon as the call returns. */
  record(record: TcpRecord): void;
  malformedRecord(): void;
  /** A page whose rest could not be read. */
  malformedPage(): void;
  /** Records that the kernel could not keep, by reason; `detail` says in words where that helps. */
  lost(reason: SourceLoss, records: number, detail?: string): void;
  /** Every record up to this trace time has been given. */
  advance(time: number): void;
}

/** What a source can lose. */
export type SourceLoss = Exclude<LossReason, 'crash' | 'malformed_page'>;

/** One CPU's ring buffer. */
export interface CpuStatus {
  readonly cpu: number;
  /** Records that the kernel overwrote or dropped since the source was opened. */
  readonly overrun: number;
  /** Bytes written and not read yet; null for a replay. */
  readonly unread_bytes: number | null;
}

export interface SourceStatus {
  readonly kind: 'module' | 'tracepoints' | 'replay';
  readonly instance: string;
  /** `mono`, `global`, … as in the kernel's trace_clock. */
  readonly clock: string;
  readonly cpus: readonly CpuStatus[];
  readonly probes: readonly ProbeStatus[];
  /** Null for other kinds, and when somebody has unloaded it by force. */
  readonly module: ModuleStatus | null;
  /** Reading waits because the pipeline is full. */
  readonly paused: boolean;
}

/**
 * How far the records of an ftrace instance have been given. The kernel's own count of records read goes on where an
 * agent was killed, so that the next one knows how many were in its memory.
 */
export interface SourcePosition {
  /** Which instance: boot id and inode, 24 bytes. Another of the same name has another. */
  readonly instance: Buffer;
  readonly records: number;
}

export interface Source {
  readonly clock: TraceClock;
  readonly tasks: TaskLookup;
  /** The kernel that made the records. */
  readonly kernel: KernelIdentity;
  /** Unique to this trace: part of every event id. */
  readonly session: string;
  /** Begins to read. Resolves when there is nothing more to come: a replay's end, or after `stop`. */
  run(handler: RecordHandler): Promise<void>;
  /**
   * Takes what the kernel still holds, then lets go of everything. Where what comes after cannot take more, it waits for
   * so long, 0 by default. Safe to call twice.
   */
  stop(patienceMs?: number): Promise<void>;
  status(): SourceStatus;
  /** Null for a replay, which can be given again. */
  position(): SourcePosition | null;
}

/** What a live source tells beside its records, in one line each. */
export interface LiveNews {
  /** No more records will come, although nobody stopped it. */
  ended(problem: string): void;
  /** The instance could not be removed. */
  left(problem: string): void;
}
