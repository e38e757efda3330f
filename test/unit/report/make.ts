/** Makes a report of lines, as ktc report does. */
import type { Input } from '../../../src/report/input/input.ts';
import type { ReportModel } from '../../../src/report/model.ts';
import { makeReport, type ReportOptions, type ReportResult } from '../../../src/report/report.ts';
import { START_S } from './events.ts';

function inputOf(lines: readonly string[]): Input {
  return {
    name: 'test',
    async *read() {
      yield { ok: true, value: Buffer.from(lines.map((line) => `${line}\n`).join('')) };
    },
    problems: () => [],
  };
}

export function reportResult(
  lines: readonly string[],
  options: Partial<ReportOptions> = {},
): Promise<ReportResult> {
  return makeReport({
    inputs: [inputOf(lines)],
    sinceS: Number.NEGATIVE_INFINITY,
    untilS: Number.POSITIVE_INFINITY,
    maxPeers: 5000,
    version: 'test',
    nowMs: (START_S + 86_400) * 1000,
    ...options,
  });
}

export async function reportOf(
  lines: readonly string[],
  options: Partial<ReportOptions> = {},
): Promise<ReportModel> {
  const result = await reportResult(lines, options);
  if (!result.ok) throw new Error(result.problem);
  return result.value;
}
