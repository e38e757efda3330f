/** What the agent does with everything that its source gives: records, and records that were lost. */
import type { Normalizer } from '../event/normalizer.ts';
import { countMalformedRecord, countRecord, filter, lose } from '../ledger/booking.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { LOSS_REASONS } from '../ledger/reasons.ts';
import type { RecordHandler } from '../source/source.ts';
import type { FaultLog } from '../telemetry/fault-log.ts';

export interface HandlerOptions {
  /** Takes what a replay says of its host. */
  readonly onHost: RecordHandler['host'];
  readonly normalizer: Normalizer;
  readonly ledger: Ledger;
  readonly faults: FaultLog;
  /** Whether the pipeline can take more records. */
  readonly ready: () => boolean;
  /** Called when every record up to a trace time is processed; `more` as in `RecordHandler`. */
  readonly onAdvance: (more: boolean) => void;
}

export function createHandler({
  normalizer,
  ledger,
  faults,
  ready,
  onHost,
  onAdvance,
}: HandlerOptions): RecordHandler {
  return {
    ready,
    existing: normalizer.existing,
    record: normalizer.accept,
    filteredRecord(reason) {
      countRecord(ledger);
      filter(ledger, reason);
    },
    host: onHost,
    malformedRecord() {
      countMalformedRecord(ledger);
    },
    malformedPage() {
      lose(ledger, 'malformed_page');
      faults.report('warn', 'malformed_page', LOSS_REASONS.malformed_page.advice);
    },
    lost(reason, records, detail) {
      lose(ledger, reason, records);
      normalizer.lost();
      const fields = detail === undefined ? { records } : { detail };
      faults.report('warn', reason, LOSS_REASONS[reason].advice, fields);
    },
    advance(time, more) {
      normalizer.advance(time);
      onAdvance(more);
    },
  };
}
