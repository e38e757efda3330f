/** Tables of figures, in one form for the terminal and for docs/performance.md. */
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

export interface Table {
  readonly title: string;
  /** The script that measures it, from the root of the repository. */
  readonly script: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What a reader must know to judge the figures, a sentence each. */
  readonly notes: readonly string[];
}

/** A figure that has to be reached. */
export interface Bar {
  readonly what: string;
  readonly value: number;
  readonly limit: number;
  readonly unit: string;
}

export interface Report {
  readonly tables: readonly Table[];
  readonly bars: readonly Bar[];
}

/** A bench; the quick form proves in seconds that it works, its figures are worth little. */
export type Bench = (quick: boolean) => Promise<Report>;

/** Three significant digits, or whole numbers. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 0.001))));
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

/** The value below which a share of them is; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** `1.9 (1.8–2.3)`: the median of several runs, and how far they lie apart. */
export function spread(values: readonly number[]): string {
  const range = `${figure(Math.min(...values))}–${figure(Math.max(...values))}`;
  return values.length > 1 ? `${figure(median(values))} (${range})` : figure(median(values));
}

function line(cells: readonly string[], widths: readonly number[]): string {
  return `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
}

/** GitHub's Markdown, aligned so that it can be read as it is. */
function gridText(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(columns, widths), rule, ...rows.map((row) => line(row, widths))].join('\n');
}

export function tableText({ title, script, columns, rows, notes }: Table): string {
  return [
    `## ${title}`,
    '',
    `Made by \`${script}\`.`,
    '',
    gridText(columns, rows),
    ...notes.map((note) => `\n${note}`),
    '',
  ].join('\n');
}

/** Nothing, when there is no bar. */
export function barsTable(bars: readonly Bar[]): string {
  const rows = bars.map(({ what, value, limit, unit }) => [
    what,
    `${figure(value)} ${unit}`,
    `${figure(limit)} ${unit}`,
    value <= limit ? 'reached' : 'missed',
  ]);
  return rows.length === 0 ? '' : `${gridText(['what', 'measured', 'at most', 'target'], rows)}\n`;
}

/** The machine and the day, for figures. */
export function machine(): string {
  const [cpu] = cpus();
  const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  const facts = [
    `${cpus().length} × ${cpu?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${system}, kernel ${release()}`,
    `Node.js ${process.versions.node}`,
    `load average before the start ${loadavg()[0]?.toFixed(1)}`,
    new Date().toISOString().slice(0, 10),
  ];
  return facts.join(' · ');
}
