/** The times that people write: `2h`, `14:02`, `2026-11-29 14:02`, RFC 3339. */
import { type Result, refusal, success } from '../shared/result.ts';

const UNITS_S: Readonly<Record<string, number>> = { s: 1, m: 60, min: 60, h: 3600, d: 86_400, w: 604_800 };
const AGO = /^(\d+(?:\.\d+)?) ?(s|m|min|h|d|w)$/;
const TIME = /^\d{2}:\d{2}(:\d{2})?$/;
const DATE = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?$/;

/** Seconds since 1970. A time without a zone is UTC, and without a date of today. */
export function readMoment(text: string, nowMs: number): Result<number> {
  const [, amount, unit] = AGO.exec(text) ?? [];
  if (amount !== undefined && unit !== undefined)
    return success(nowMs / 1000 - Number(amount) * (UNITS_S[unit] ?? 1));
  const today = new Date(nowMs).toISOString().slice(0, 10);
  const full = TIME.test(text) ? `${today}T${text}` : text;
  const hasZone = /(Z|[T ]\d{2}:\d{2}.*[+-]\d{2}:\d{2})$/.test(full);
  const milliseconds = DATE.test(full)
    ? Date.parse(hasZone ? full : `${full.replace(' ', 'T')}${full.length > 10 ? '' : 'T00:00'}Z`)
    : Number.NaN;
  return Number.isNaN(milliseconds)
    ? refusal(`${text} is no time: write 2h (ago), 14:02 (UTC, today), 2026-11-29 or 2026-11-29T14:02:00Z`)
    : success(milliseconds / 1000);
}
