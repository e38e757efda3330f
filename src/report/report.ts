/** Reads inputs and makes the model of a report. */
import type { Result } from '../shared/result.ts';
import { grouped } from '../shared/text.ts';
import { buildModel } from './build.ts';
import { type Collected, createCollector } from './collector.ts';
import type { Chunk, Input, InputFailure } from './input/input.ts';
import { createLineCutter } from './input/lines.ts';
import type { ReportModel } from './model.ts';
import { counted, dateTime } from './words.ts';

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
  if (model !== null) return { ok: true, value: model };
  const where = inputs.map(({ name }) => name).join(', ');
  return { ok: false, reason: 'empty', problem: `${where}: ${whyEmpty(collector.collected, sinceS)}` };
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

function whyEmpty({ counts, outside, wrongClocks }: Collected, sinceS: number): string {
  const { lines, malformed } = counts;
  if (counts.outside > 0)
    return `${counted(counts.outside, 'event')} from ${dateTime(outside.firstS)} to ${dateTime(outside.lastS)} UTC, none of them within --since and --until`;
  if (wrongClocks.size > 0)
    return `all events are from before 2020 or more than a day ahead: look at the clock of ${counted(wrongClocks.size, 'host')}`;
  if (malformed > 0)
    return `${lines === 1 ? 'the only line is no event' : `none of ${grouped(lines)} lines is an event`}; a report reads NDJSON of ktc, recordings and spools`;
  return Number.isFinite(sinceS) ? `no event since ${dateTime(sinceS)} UTC` : 'no event to report on';
}
