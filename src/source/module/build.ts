/** Builds tcp_trace.ko for one kernel with that kernel's headers. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Opened } from '../../shared/result.ts';
import { MODULE_NAME } from './status.ts';

export interface BuildOptions {
  /** The folder kmodule/; it is copied, and nothing is written into it. */
  readonly sources: string;
  /** As `uname -r` says it. */
  readonly kernel: string;
  /** The prepared headers; null takes /lib/modules/<kernel>/build. */
  readonly headers: string | null;
  /** Where the module goes; null installs it below /lib/modules/<kernel>, where modprobe finds it. */
  readonly output: string | null;
}

const TOOLS = ['make', 'gcc'];

function isThere(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** The line that tells most: make's own complaint about a target comes last and says least. */
function firstComplaint(output: string): string {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^make(\[\d+\])?: /.test(line));
  return (
    lines.find((line) => /error|no prepared|cannot|not found/i.test(line)) ?? lines.at(-1) ?? 'make failed'
  );
}

/** Where the module is now: a path, or the name that modprobe takes. The problem is one line. */
export function buildModule({ sources, kernel, headers, output }: BuildOptions): Opened<string> {
  if (!existsSync(join(sources, 'Makefile')))
    return { ok: false, problem: `there are no sources of ${MODULE_NAME}.ko in ${sources}` };
  const missing = TOOLS.filter((tool) => !isThere(tool));
  if (missing.length > 0)
    return { ok: false, problem: `to build ${MODULE_NAME}.ko install ${missing.join(' and ')}` };
  const directory = mkdtempSync(join(tmpdir(), 'ktc-module-'));
  try {
    cpSync(sources, directory, { recursive: true });
    const target = headers === null ? `KERNELRELEASE=${kernel}` : `KDIR=${resolve(headers)}`;
    for (const goal of output === null ? ['all', 'install'] : ['all']) {
      const made = spawnSync('make', ['-C', directory, target, goal], {
        encoding: 'utf8',
        env: { ...process.env, LC_ALL: 'C', MAKEFLAGS: '' },
      });
      if (made.status !== 0) {
        const problem = firstComplaint(made.stderr || made.stdout || String(made.error?.message));
        return {
          ok: false,
          problem: `cannot ${goal === 'all' ? 'build' : 'install'} ${MODULE_NAME}.ko: ${problem}`,
        };
      }
    }
    if (output === null) return { ok: true, value: MODULE_NAME };
    copyFileSync(join(directory, `${MODULE_NAME}.ko`), output);
    return { ok: true, value: output };
  } catch (error) {
    return { ok: false, problem: `cannot build ${MODULE_NAME}.ko: ${(error as Error).message}` };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
