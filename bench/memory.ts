/** What the resident memory of a process is. */
import { readFileSync } from 'node:fs';

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

/** From /proc/PID/smaps (proc(5)). Throws where there is no such process. */
export function memoryParts(pid: number): MemoryParts {
  const parts = { files: 0, malloc: 0, code: 0, mapped: 0 };
  let part: keyof MemoryParts = 'mapped';
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
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
