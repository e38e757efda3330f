import { createLedger } from '../../../src/ledger/ledger.ts';
import type { TelemetrySnapshot } from '../../../src/telemetry/snapshot.ts';
import { openLedger } from '../../support/open-ledger.ts';

/** A healthy agent with a different number in every place, so that a mix-up of two shows; the equations hold. */
export function healthySnapshot(): TelemetrySnapshot {
  const ledger = openLedger(createLedger(['kafka', 'file']));
  ledger.read = 123_471;
  ledger.malformed = 4;
  ledger.decoded = 123_467;
  ledger.derived = 44;
  ledger.emitted = 123_000;
  ledger.filtered = { event_disabled: 433, own_traffic: 50 };
  ledger.suppressed = { tcp_state: 6, tcp_life: 5 };
  ledger.held = 17;
  ledger.lost = { kernel_overrun: 12_345, malformed_page: 0 };
  ledger.sinks = {
    kafka: {
      delivered: 120_000,
      rejected: { message_too_large: 2 },
      dropped: { spool_full: 98 },
      recovered: 0,
      queued: 400,
      spooled: 2_000,
      in_flight: 500,
    },
    file: {
      delivered: 122_999,
      rejected: {},
      dropped: {},
      recovered: 0,
      queued: 1,
      spooled: 0,
      in_flight: 0,
    },
  };
  return {
    version: '0.1.0',
    host: 'web-17',
    uptime_s: 7_830.5,
    host_status: { config_hash: '9f86d081884c7d65', interval_s: 60, last_event_id: 'boot-cafe0123-0-512' },
    ledger,
    imbalances: [],
    source: {
      kind: 'tracepoints',
      open: true,
      problem: null,
      instance: 'ktc',
      clock: 'mono',
      cpus: [
        { cpu: 0, overrun: 12_000, unread_bytes: 4_096 },
        { cpu: 1, overrun: 345, unread_bytes: null },
      ],
      probes: [
        { name: 'sock:inet_sock_set_state', enabled: true, filter: 'dport == 443', filtered_by: 'kernel' },
        { name: 'tcp:tcp_retransmit_skb', enabled: true, filter: null, filtered_by: 'kernel' },
        {
          name: 'tcp:tcp_send_reset',
          enabled: false,
          filter: null,
          filtered_by: 'kernel',
          problem: 'this kernel has no such event',
        },
      ],
      module: null,
      paused: false,
      disturbances: [],
    },
    tracking: { connections: 1_024, evicted: 31 },
    spool: {
      directory: '/var/lib/ktc/spool',
      bytes: 1_572_864,
      max_bytes: 1_073_741_824,
      segments: 2,
      memory_bytes: 455,
      full: false,
      problem: null,
    },
    sinks: {
      kafka: {
        state: 'ready',
        problem: null,
        batches_sent: 611,
        retries: 7,
        window: 2,
        last_acknowledged: '2026-11-24T02:15:19.250Z',
      },
      file: {
        state: 'ready',
        problem: null,
        batches_sent: 613,
        retries: 0,
        window: 1,
        last_acknowledged: null,
      },
    },
    process: {
      rss_bytes: 73_400_320,
      cpu_seconds: 12.25,
      event_loop_delay_p99_s: 0.0042,
      event_loop_delay_max_s: 0.03,
    },
  };
}
