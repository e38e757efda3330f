/** Reads inputs and makes the model of a report. */
import type { Result } from '../shared/result.ts';
import { buildModel } from './build.ts';
import { createCollector } from './collector.ts';
import type { Chunk, Input, InputFailure } from './input/input.ts';
import { createLineCutter } from './input/lines.ts';
import type { ReportModel } from './model.ts';

export interface ReportOptions {
  readonly inputs: readonly Input[];
  /** Seconds since 1970; -Infinity and Infinity for everything. */
  readonly sinceS: number;
  readonly untilS: number;
  /** Peers that are kept apart: those with the most retransmits. */
  readonly maxPeers: number;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/** `empty`: nothing could be read that is an event of this time. */
export type ReportResult = Result<ReportModel, { readonly reason: InputFailure | 'empty' }>;

export async function makeReport({
  inputs,
  sinceS,
  untilS,
  maxPeers,
  version,
  nowMs,
}: ReportOptions): Promise<ReportResult> {
  const collector = createCollector({ sinceS, untilS, nowS: nowMs / 1000 });
  for (const input of inputs) {
    const refused = await readInput(input, collector.take);
    if (refused !== null) return refused;
  }
  const model = buildModel(collector.collected, {
    version,
    generatedAt: new Date(nowMs).toISOString(),
    sources: inputs.map(({ name }) => name),
    problems: inputs.flatMap((input) => input.problems()),
    maxPeers,
  });
  return model === null ? emptyRefusal(collector.collected.counts, inputs) : { ok: true, value: model };
}

async function readInput(
  input: Input,
  take: (line: string) => void,
): Promise<(Chunk & { ok: false }) | null> {
  const lines = createLineCutter(take);
  for await (const chunk of input.read()) {
    if (!chunk.ok) return chunk;
    lines.take(chunk.value);
  }
  lines.end();
  return null;
}

function emptyRefusal(
  { lines, malformed, outside }: { lines: number; malformed: number; outside: number },
  inputs: readonly Input[],
): ReportResult {
  const where = inputs.map(({ name }) => name).join(', ');
  if (outside > 0)
    return {
      ok: false,
      reason: 'empty',
      problem: `${where}: all ${outside} events are outside of --since and --until`,
    };
  if (malformed > 0 && malformed === lines)
    return {
      ok: false,
      reason: 'empty',
      problem: `${where}: none of ${lines} lines is an event; a report reads NDJSON of ktc, recordings and spools`,
    };
  return { ok: false, reason: 'empty', problem: `${where}: no event to report on` };
}
