/**
 * Writes events that a sink refused for good to a file, with the reason, so that an operator can read and resend them.
 */
import { createTurns } from '../shared/turns.ts';
import { type Batch, batchOfLines, eventAt } from '../sink/batch.ts';
import type { Refusal, Sink } from '../sink/sink.ts';

/** The file of refused events. */
export interface DeadLetter {
  /** Writes the events of a batch that the sink refused; does not wait for the file. */
  keep(sink: string, batch: Batch, refused: readonly Refusal[]): void;
  /** Resolves when everything has been written, or has failed to be. */
  close(): Promise<void>;
}

export interface DeadLetterOptions {
  /** Takes the lines; a file that rotates. */
  readonly file: Sink;
  /** The file cannot be written. The refused events are in the ledger already, so that none is lost uncounted. */
  readonly onFault: (problem: string) => void;
  /** The wall clock: the `time` of each line. */
  readonly now: () => Date;
}

/**
 * One JSON object per line: `time`, `sink`, `reason`, and the refused `event` as it was. The lines are written after
 * the events are booked as rejected; what cannot be written is in the ledger only.
 */
export function createDeadLetter({ file, onFault, now }: DeadLetterOptions): DeadLetter {
  const turns = createTurns();

  async function write(batch: Batch): Promise<void> {
    const opened = await file.open();
    const problem = opened.ok ? (await file.send(batch)).retry?.reason : opened.problem;
    if (problem !== undefined) onFault(problem);
  }

  return {
    keep(sink, batch, refused) {
      const letters = lettersOf(sink, batch, refused, now().toISOString());
      void turns.run(() => write(letters));
    },
    async close() {
      await turns.idle();
      await file.close();
    },
  };
}

function lettersOf(sink: string, batch: Batch, refused: readonly Refusal[], time: string): Batch {
  const lines = refused.map(({ index, reason }) => {
    const head = JSON.stringify({ time, sink, reason }).slice(0, -1);
    return Buffer.concat([Buffer.from(`${head},"event":`), eventAt(batch, index), Buffer.from('}\n')]);
  });
  return { id: batch.id, ...batchOfLines(lines, batch.oldestMs) };
}
