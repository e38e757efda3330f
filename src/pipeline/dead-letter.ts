/** Keeps what a sink refused for good, with the reason, so that somebody can look at it and send it again. */
import { createTurns } from '../shared/turns.ts';
import type { Batch } from '../sink/batch.ts';
import type { Refusal, Sink } from '../sink/sink.ts';

export interface DeadLetter {
  /** The events of a batch that the sink refused. */
  keep(sink: string, batch: Batch, refused: readonly Refusal[]): void;
  /** Resolves when everything has been written, or could not be. */
  close(): Promise<void>;
}

export interface DeadLetterOptions {
  /** Takes the lines; a file that rotates. */
  readonly file: Sink;
  /** What is refused is counted anyway, so a fault here loses nothing that is not told. */
  readonly onFault: (problem: string) => void;
  readonly now: () => Date;
}

/**
 * One JSON object a line: `time`, `sink`, `reason`, and the refused `event` as it was. Written after the account is
 * told; what cannot be written is only counted.
 */
export function createDeadLetter({ file, onFault, now }: DeadLetterOptions): DeadLetter {
  const turns = createTurns();

  async function write(batch: Batch): Promise<void> {
    const problem = (await file.open())?.problem ?? (await file.send(batch)).retry?.reason;
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
  const parts: Buffer[] = [];
  const offsets = new Uint32Array(refused.length + 1);
  let end = 0;
  for (const [place, { index, reason }] of refused.entries()) {
    const head = JSON.stringify({ time, sink, reason });
    const event = batch.bytes.subarray(batch.offsets[index], (batch.offsets[index + 1] ?? 0) - 1);
    const letter = [Buffer.from(`${head.slice(0, -1)},"event":`), event, Buffer.from('}\n')];
    parts.push(...letter);
    end += letter.reduce((sum, part) => sum + part.length, 0);
    offsets[place + 1] = end;
  }
  return {
    id: batch.id,
    bytes: Buffer.concat(parts),
    count: refused.length,
    offsets,
    oldestMs: batch.oldestMs,
  };
}
