/**
 * Why a record or an event did not reach the sink: every reason that the ledger counts by, with the sentence that
 * explains it. docs/pipeline.md and docs/telemetry.md have their tables of reasons from here (`make docs`).
 */

/** `filtered`: the event is not wanted, or the record tells of nothing that is an event. */
export const FILTER_REASONS = {
  event_disabled: 'This kind of event is switched off below `events`.',
  excluded_address: 'One of the addresses is in a range of `exclude.addresses`.',
  excluded_port: 'One of the ports is in `exclude.ports`.',
  excluded_comm: 'The process that owns the connection is named in `exclude.comms`.',
  excluded_unit: 'The unit of the process that owns the connection is in `exclude.units`.',
  own_traffic:
    "The connection is the agent's own. Otherwise a lossy path to a sink would make ever more events.",
  state_unchanged: 'The kernel set the state that the socket already had.',
  not_transmitted: 'The kernel gave up the retransmit before it sent the segment.',
  new_data: 'The tail loss probe carried new data, so it is no retransmit.',
  not_tcp: 'The socket is of another protocol that shares the tracepoint, such as SCTP or DCCP.',
  task: 'The record tells of a process that began or changed its name (`source.process_tracking`).',
  probe_filter:
    'The filter of the probe leaves the record out, on a kernel whose filters are shared by all tracers (before Linux 3.13).',
} as const satisfies Readonly<Record<string, string>>;
export type FilterReason = keyof typeof FILTER_REASONS;

/** `rejected`: the destination answered that it will never take the event. */
export const REJECT_REASONS = {
  message_too_large: 'The event alone is larger than the destination accepts.',
  invalid_record: 'The Kafka broker rejected the record as invalid.',
  bad_request: 'The OTLP receiver answered that it cannot process the request.',
  resource_exhausted: 'The OTLP receiver answered RESOURCE_EXHAUSTED without asking for a retry.',
  partial_success: 'The OTLP receiver rejected some events of a batch without saying which ones.',
  stdout_closed: 'The program that read standard output has ended.',
} as const satisfies Readonly<Record<string, string>>;
export type RejectReason = keyof typeof REJECT_REASONS;

/** `dropped`: the agent gave the event up before the destination had it. */
export const DROP_REASONS = {
  shutdown: 'The event was in memory only, and was not delivered within `shutdown.timeout_s`.',
  spool_full: 'The spool had reached `spool.max_bytes`, and `spool.when_full` says to drop.',
  spool_damaged: 'The event was in a part of a spool file that cannot be read any more.',
} as const satisfies Readonly<Record<string, string>>;
export type DropReason = keyof typeof DROP_REASONS;

interface Loss {
  /** What the number counts. */
  readonly unit: 'records' | 'calls' | 'pages' | 'times';
  readonly meaning: string;
  /** The line in the log when it happens. */
  readonly advice: string;
}

/** `lost`: what the kernel could not keep, or the agent could not read. */
export const LOSS_REASONS = {
  kernel_overrun: {
    unit: 'records',
    meaning: 'The kernel overwrote records before the agent read them, because the ring buffer was full.',
    advice: 'the kernel overwrote records before they were read: raise source.buffer_kb, or record less',
  },
  kernel_dropped: {
    unit: 'records',
    meaning: 'The kernel had no room for a record at that moment.',
    advice: 'the kernel had no room for records: raise source.buffer_kb',
  },
  probe_missed: {
    unit: 'calls',
    meaning: 'A hook of tcp_trace.ko could not see a call of its function.',
    advice: 'probes of tcp_trace.ko could not see some calls: ktc module status tells of which functions',
  },
  while_down: {
    unit: 'records',
    meaning:
      'The kernel overwrote records while no agent was running, in an instance that this agent took over.',
    advice: 'records were overwritten while no agent was running',
  },
  crash: {
    unit: 'records',
    meaning: 'An agent that was killed had read these records, and their events were not in the spool yet.',
    advice:
      'the agent before this one was killed: it had read these records and not yet spooled what they led to',
  },
  left_in_kernel: {
    unit: 'records',
    meaning: 'The records were still unread when the agent stopped, because no sink could take more.',
    advice: 'records were still unread when the agent stopped',
  },
  malformed_page: {
    unit: 'pages',
    meaning: 'The rest of a page of the ring buffer could not be read.',
    advice: 'a page of the ring buffer could not be read to its end',
  },
  settings_changed: {
    unit: 'times',
    meaning:
      'Another program changed the settings of ftrace that our records depend on. The agent notices it within 5 s and puts back what is its own; how many records the kernel did not make meanwhile is not known.',
    advice:
      'somebody else has changed the settings of ftrace: what is ours is put back within 5 s, and what was not recorded meanwhile is not known',
  },
} as const satisfies Readonly<Record<string, Loss>>;
export type LossReason = keyof typeof LOSS_REASONS;
