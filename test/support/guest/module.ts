/** Kernel modules for a guest: tcp_trace.ko, built from kmodule/ as `ktc module build` does it, and a helper of tests. */
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildModule } from '../../../src/source/module/build.ts';
import { type GuestKernel, guestKernelRoot, releaseOf } from '../guest.ts';
import { madeOnce } from '../made-once.ts';

const repository = join(import.meta.dirname, '../../..');

/** Other modules of the same sources, by the change of a source file that makes them. */
const VARIANTS = {
  /** Of an API that this agent does not know. */
  'newer-api': { file: 'tcp_trace.c', from: /^#define KTC_API .*$/m, to: '#define KTC_API 3' },
  /** As for a kernel without CONFIG_SECURITY_NETWORK. */
  kretprobe: { file: 'compat.h', from: /^#ifdef CONFIG_SECURITY_NETWORK$/m, to: '#ifdef KTC_NEVER' },
} as const;

/** What modules of a kernel are built for; the kernel must be there (`guestUnavailable`). */
export function modulesOf(kernel: GuestKernel): { release: string; headers: string } {
  const release = releaseOf(kernel);
  return { release, headers: join(guestKernelRoot(kernel), 'lib/modules', release, 'build') };
}

export interface SourceChange {
  readonly file: string;
  readonly from: RegExp;
  readonly to: string;
}

/** Changes a copy of sources that lies below `root`. Throws where there is nothing to change. */
export function changeSource(root: string, { file, from, to }: SourceChange): void {
  const path = join(root, file);
  const text = readFileSync(path, 'utf8');
  if (text.search(from) === -1) throw new Error(`${file} has nothing to change: ${from}`);
  writeFileSync(path, text.replace(from, to));
}

/** Path of the module, or of a variant. */
export function buildGuestModule(kernel: GuestKernel, variant?: keyof typeof VARIANTS): string {
  const { release, headers } = modulesOf(kernel);
  const directory = madeOnce(`tcp_trace-${variant ?? 'itself'}-${release}`, (made) => {
    const sources = join(made, 'sources');
    cpSync(join(repository, 'kmodule'), sources, { recursive: true });
    if (variant !== undefined) changeSource(sources, VARIANTS[variant]);
    const built = buildModule({ sources, kernel: release, headers, output: join(made, 'tcp_trace.ko') });
    if (!built.ok) throw new Error(built.problem);
  });
  return join(directory, 'tcp_trace.ko');
}

/** Path of a module that kills ftrace in the kernel that loads it. */
export function buildKillFtrace(kernel: GuestKernel): string {
  const { release, headers } = modulesOf(kernel);
  const directory = madeOnce(`kill_ftrace-${release}`, (made) => {
    cpSync(join(import.meta.dirname, 'kill-ftrace'), made, { recursive: true });
    const words = ['-C', headers, `M=${made}`, 'CONFIG_DEBUG_INFO_BTF_MODULES=', 'modules'];
    execFileSync('make', words, { stdio: ['ignore', 'ignore', 'inherit'] });
  });
  return join(directory, 'kill_ftrace.ko');
}
