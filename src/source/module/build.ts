/** Builds tcp_trace.ko for one kernel, with the headers of that kernel. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isSystemError } from '../../shared/errors.ts';
import { type Result, refusal, success } from '../../shared/result.ts';
import { MODULE_NAME } from './status.ts';

export interface BuildOptions {
  /** The folder kmodule/. It is copied, and nothing is written into it. */
  readonly sources: string;
  /** The release of the kernel, as `uname -r` prints it. */
  readonly kernel: string;
  /** The directory of the prepared headers; null for /lib/modules/<kernel>/build. */
  readonly headers: string | null;
  /** The path of the built module; null installs it below /lib/modules/<kernel>, where modprobe finds it. */
  readonly output: string | null;
}

const TOOLS = ['make', 'gcc'];

function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** The most useful line of make's output. Its own message about the target comes last and explains least. */
function findReason(output: string): string {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^make(\[\d+\])?: /.test(line));
  return (
    lines.find((line) => /error|no prepared|cannot|not found/i.test(line)) ?? lines.at(-1) ?? 'make failed'
  );
}

/** Builds the module. Gives its path, or the name for modprobe if it was installed. */
export function buildModule({ sources, kernel, headers, output }: BuildOptions): Result<string> {
  if (!existsSync(join(sources, 'Makefile')))
    return refusal(`there are no sources of ${MODULE_NAME}.ko in ${sources}`);
  const missing = TOOLS.filter((tool) => !isInstalled(tool));
  if (missing.length > 0) return refusal(`to build ${MODULE_NAME}.ko install ${missing.join(' and ')}`);
  let directory: string | null = null;
  try {
    directory = mkdtempSync(join(tmpdir(), 'ktc-module-'));
    cpSync(sources, directory, { recursive: true });
    const target = headers === null ? `KERNELRELEASE=${kernel}` : `KDIR=${resolve(headers)}`;
    for (const goal of output === null ? ['all', 'install'] : ['all']) {
      const made = spawnSync('make', ['-C', directory, target, goal], {
        encoding: 'utf8',
        env: { ...process.env, LC_ALL: 'C', MAKEFLAGS: '' },
      });
      if (made.status !== 0) {
        const reason = findReason(made.stderr || made.stdout || String(made.error?.message));
        return refusal(`cannot ${goal === 'all' ? 'build' : 'install'} ${MODULE_NAME}.ko: ${reason}`);
      }
    }
    if (output === null) return success(MODULE_NAME);
    copyFileSync(join(directory, `${MODULE_NAME}.ko`), output);
    return success(output);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return refusal(`cannot build ${MODULE_NAME}.ko: ${error.message}`);
  } finally {
    if (directory !== null) rmSync(directory, { recursive: true, force: true });
  }
}
