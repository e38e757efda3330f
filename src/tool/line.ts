/** Makes lines from cells: a table for people, CSV for programs. */
import { escapeControls } from '../shared/text.ts';

export type Cell = string | number | null;

export interface LineColumn {
  readonly title: string;
  readonly width: number;
  readonly right?: true;
}

export interface LineFormat {
  readonly header: string;
  /** Without a newline. */
  line(cells: readonly Cell[]): string;
}

/** A value that the source cannot know. */
const UNKNOWN = '-';

/** Each column begins at its place; a cell that is too long moves the next cells only as far as necessary. */
export function tableFormat(columns: readonly LineColumn[]): LineFormat {
  const starts: number[] = [];
  let next = 0;
  for (const { width } of columns) {
    starts.push(next);
    next += width + 1;
  }
  const line = (cells: readonly Cell[]): string => {
    let text = '';
    for (const [index, column] of columns.entries()) {
      const start = starts[index] ?? 0;
      const cell = cells[index] ?? UNKNOWN;
      const shown = typeof cell === 'string' ? escapeControls(cell) : String(cell);
      if (index > 0) text = `${text} `.padEnd(start);
      text += column.right === true ? shown.padStart(start + column.width - text.length) : shown;
    }
    return text.trimEnd();
  };
  return { header: line(columns.map(({ title }) => title)), line };
}

/** CSV by RFC 4180, but with `\n` at the end of a line; an unknown value is an empty cell. */
export function csvFormat(columns: readonly LineColumn[]): LineFormat {
  const quote = (cell: Cell): string => {
    if (typeof cell !== 'string') return cell === null ? '' : String(cell);
    const shown = escapeControls(cell);
    return /[",]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown;
  };
  const line = (cells: readonly Cell[]): string => cells.map(quote).join(',');
  return { header: line(columns.map(({ title }) => title)), line };
}
