/** Batches for tests. */
import { type Batch, batchOfLines } from '../../src/sink/batch.ts';

let nextId = 1;

/** One batch of these JSON texts, which must hold no newline. */
export function batchOfTexts(texts: readonly string[]): Batch {
  const lines = texts.map((text) => Buffer.from(`${text}\n`));
  return { id: nextId++, ...batchOfLines(lines, Date.now()) };
}

/** One batch of these events. */
export function batchOf(events: readonly object[]): Batch {
  return batchOfTexts(events.map((event) => JSON.stringify(event)));
}

/** `count` distinct retransmits, shaped and sized like real ones (about 800 bytes). */
export function sampleEvents(
  count: number,
  prefix = 'sample',
): { event_id: string; connection_id: string }[] {
  return Array.from({ length: count }, (_, index) => ({
    schema_version: 1,
    event_id: `${prefix}-${index}`,
    event: 'tcp_retransmit',
    timestamp: `2026-11-24T02:13:${String(index % 60).padStart(2, '0')}.123456789Z`,
    host: 'db-17.example.net',
    host_id: '3f2a6c1d9e8b47f0a5c4d3e2f1a0b9c8',
    boot_id: '7b1c0e9a-5d2f-4b8e-9c3a-1f6e8d7c5b4a',
    kernel: '3.10.0-862.el7.x86_64',
    labels: { data_center: 'fra1', rack: 'r07' },
    pid: 4000 + (index % 97),
    comm: 'postgres',
    pid_origin: 'on_cpu',
    cpu: index % 8,
    netns: 4026531992,
    ip_version: 4,
    local_address: '10.17.4.9',
    local_port: 5432,
    remote_address: `10.17.${index % 250}.${(index * 7) % 250}`,
    remote_port: 32768 + (index % 28000),
    connection_id: `${prefix}-connection-${index % 50}`,
    community_id: '1:LQU9qZlK+B5F3KDmev6m5PMibrg=',
    direction: 'passive',
    state: 'ESTABLISHED',
    retransmit_kind: 'rto',
    sequence: 1_000_000 + index,
    length: 1448,
    srtt_us: 212,
    rttvar_us: 31,
    congestion_window: 10,
    slow_start_threshold: null,
    total_retransmits: 1 + (index % 5),
  }));
}
