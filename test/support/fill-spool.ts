/** A spool with very much in it, as an outage of the sink leaves it. */
import { createLedger } from '../../src/ledger/ledger.ts';
import { systemFiles } from '../../src/pipeline/spool/disk/files.ts';
import { openDiskSpool } from '../../src/pipeline/spool/open.ts';
import { batchOfTexts } from './batch.ts';

export interface FillOptions {
  readonly directory: string;
  /** Whose events they are. */
  readonly sink: string;
  /** How much of them. */
  readonly bytes: number;
}

const EVENTS_PER_BATCH = 1_000;

/** Fills it by its own means, up to half of what it may hold; how many events that took. */
export async function fillSpool({ directory, sink, bytes }: FillOptions): Promise<number> {
  const { sinks } = createLedger([sink]);
  const opened = await openDiskSpool({
    directory,
    limits: { memoryBytes: 0, maxBytes: 2 * bytes, whenFull: 'block' },
    fsyncIntervalMs: 60_000,
    accounts: sinks,
    files: systemFiles,
    now: () => performance.now(),
    report: { fault() {}, recovered() {}, damage() {}, note() {} },
  });
  if (!opened.ok) throw new Error(opened.problem);
  const { spool, readers, close } = opened.value;
  const padding = 'x'.repeat(900);
  let events = 0;
  while (spool.bytes < bytes) {
    const texts = Array.from(
      { length: EVENTS_PER_BATCH },
      (_, index) => `{"event_id":"spooled-${events + index}","event":"tcp_state","padding":"${padding}"}`,
    );
    spool.append(batchOfTexts(texts), null);
    events += EVENTS_PER_BATCH;
  }
  for (const reader of readers.values()) reader.close();
  await close();
  return events;
}
