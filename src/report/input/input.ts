/** Where the events of a report come from. */
import type { Result } from '../../shared/result.ts';

/** Why an input cannot be read; src/cli/exit.ts has the exit code of each. */
export type InputFailure = 'unavailable' | 'not_permitted' | 'damaged' | 'io';

/** NDJSON, cut anywhere. After a refusal, which is the last, nothing more can be read. */
export type Chunk = Result<Buffer, { readonly reason: InputFailure }>;

export interface Input {
  /** For people: `events.ndjson`, `standard input`, `topic ktc-events of kafka1:9092`. */
  readonly name: string;
  /** Whoever calls may stop at any time. */
  read(): AsyncIterable<Chunk>;
  /** What was damaged or left out so far, a line each. */
  problems(): readonly string[];
}

export function inputRefusal(reason: InputFailure, problem: string): Chunk {
  return { ok: false, reason, problem };
}
