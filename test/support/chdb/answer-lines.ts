/** The answer that the comment of a question shows: of the made fleet of 100,000 events. */
import type { Row } from './http.ts';

const MOST_ROWS = 5;
const MOST_CHARACTERS = 46;

/** Its comment lines, from `-- Answer` to the last of them. */
export function answerLines(rows: readonly Row[]): string {
  const names = Object.keys(rows[0] ?? {});
  const text = (value: unknown): string => {
    const whole = value !== null && typeof value === 'object' ? JSON.stringify(value) : String(value);
    return whole.length > MOST_CHARACTERS ? `${whole.slice(0, MOST_CHARACTERS - 1)}…` : whole;
  };
  const table = [names, ...rows.slice(0, MOST_ROWS).map((row) => names.map((name) => text(row[name])))];
  const widths = names.map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)));
  const lines = table.map((cells) =>
    `--   ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd(),
  );
  const more = rows.length > MOST_ROWS ? [`--   … ${rows.length - MOST_ROWS} more`] : [];
  return ['-- Answer, of the fleet in test/support/fleet-truth:', ...lines, ...more].join('\n');
}
