/** Compiles the small C programs of the tests. */
import { execFile } from 'node:child_process';
import { mkdir, rename, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const CACHE = join(import.meta.dirname, '../../.cache/programs');

/** Compiles a source file unless its program is there and newer. Returns the program's path. */
export async function compileProgram(source: string): Promise<string> {
  const program = join(CACHE, basename(source, '.c'));
  const [sourceStat, programStat] = await Promise.all([stat(source), stat(program).catch(() => null)]);
  if (programStat === null || programStat.mtimeMs < sourceStat.mtimeMs) {
    await mkdir(CACHE, { recursive: true });
    // Another test file may start it at the same time, and then has a whole one.
    const own = `${program}.${process.pid}`;
    await promisify(execFile)('gcc', ['-O2', '-Wall', '-Wextra', '-Werror', '-o', own, source]);
    await rename(own, program);
  }
  return program;
}
