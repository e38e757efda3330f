/** Markdown that scripts write. */

export function tableOf(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  return `${line(header)}|${'---|'.repeat(header.length)}\n${rows.map(line).join('')}`;
}
