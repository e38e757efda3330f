/** What the resident memory of a process is. */
import { figure } from './report.ts';

/** Bytes, by what is mapped there. */
export interface MemoryParts {
  readonly files: number;
  /** The heap that brk(2) grows. */
  readonly malloc: number;
  /** Anonymous and executable. */
  readonly code: number;
  /** Anonymous, the stack too. */
  readonly mapped: number;
}

/** From the text of /proc/PID/smaps (proc(5)). */
export function memoryParts(smaps: string): MemoryParts {
  const parts = { files: 0, malloc: 0, code: 0, mapped: 0 };
  let part: keyof MemoryParts = 'mapped';
  for (const line of smaps.split('\n')) {
    const mapping = /^[0-9a-f]+-[0-9a-f]+ (\S+) \S+ \S+ \S+ *(.*)$/.exec(line);
    if (mapping !== null) part = partOf(mapping[1] ?? '', mapping[2] ?? '');
    parts[part] += Number(/^Rss: +(\d+) kB$/.exec(line)?.[1] ?? 0) * 1024;
  }
  return parts;
}

function partOf(permissions: string, name: string): keyof MemoryParts {
  if (name.startsWith('/')) return 'files';
  if (name === '[heap]') return 'malloc';
  return permissions.includes('x') ? 'code' : 'mapped';
}

const NAMES = [
  ["Node.js' file and its libraries, pages that are mapped", 'files'],
  ["V8's heap, and buffers of 128 KiB and more", 'mapped'],
  ['smaller memory of malloc', 'malloc'],
  ['code that V8 has compiled', 'code'],
] as const;

export const totalBytes = (parts: MemoryParts): number =>
  NAMES.reduce((sum, [, part]) => sum + parts[part], 0);

/** Rows of a table in MB: a part each, and the sum, with a column for each of `measured`. */
export function memoryRows(measured: readonly MemoryParts[]): string[][] {
  const row = (name: string, bytesOf: (parts: MemoryParts) => number): string[] => [
    name,
    ...measured.map((parts) => figure(bytesOf(parts) / 1e6)),
  ];
  return [...NAMES.map(([name, part]) => row(name, (parts) => parts[part])), row('in all', totalBytes)];
}

export const MEMORY_NOTE =
  'The pages of files are clean and in the page cache anyway: whoever else runs the same Node.js shares them, and the kernel takes them when it needs memory. Since Linux 3.15 it maps the 16 pages around each that is touched, if they are in the page cache; the kernel of EL7 maps no more than that one.';
