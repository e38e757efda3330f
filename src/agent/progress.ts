/**
 * How far the kernel's records are processed, as marks in the spool. The kernel counts the records that were read of
 * an ftrace instance, also when the agent that read them was killed. So the difference between that count and the
 * last mark is the number of records that a crash cost.
 */
import type { Logger } from 'pino';
import { lose } from '../ledger/booking.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { LOSS_REASONS } from '../ledger/reasons.ts';
import type { SpoolMark } from '../pipeline/spool/disk/frame.ts';
import type { Source } from '../source/source.ts';

export interface ProgressOptions {
  readonly source: Pick<Source, 'position'>;
  readonly ledger: Ledger;
  readonly log: Pick<Logger, 'warn'>;
  /** The last mark of the run before this one; null where there is none. */
  readonly previous: SpoolMark | null;
  /** Puts a mark into the spool. */
  readonly save: (mark: SpoolMark) => void;
}

export interface Progress {
  /** Counts the records that the run before this one had read and not spooled when it was killed. */
  countCrash(): void;
  /** The mark to be spooled together with the batch that is closed now; null where the source has no position. */
  markForBatch(): SpoolMark | null;
  /**
   * To be called when every record read so far is processed and every event of them spooled. Spools a mark of its own where
   * the last records led to no event whose batch would carry it.
   */
  update(): void;
}

export function createProgress(options: ProgressOptions): Progress {
  const { source, ledger, log, previous, save } = options;
  let markedRecords = 0;

  function currentMark(): SpoolMark | null {
    const position = source.position();
    return position === null ? null : { ...position, held: ledger.held };
  }

  return {
    countCrash() {
      const position = source.position();
      if (position === null || previous === null || !previous.instance.equals(position.instance)) return;
      const records = position.records - previous.records + previous.held;
      if (records > 0) {
        lose(ledger, 'crash', records);
        log.warn({ records }, LOSS_REASONS.crash.advice);
      }
      // Should this run be killed before it spools anything, the next run must not count these records again.
      save({ ...position, held: 0 });
      markedRecords = position.records;
    },
    markForBatch() {
      const mark = currentMark();
      markedRecords = mark?.records ?? 0;
      return mark;
    },
    update() {
      const mark = currentMark();
      if (mark === null || mark.records === markedRecords) return;
      markedRecords = mark.records;
      save(mark);
    },
  };
}
