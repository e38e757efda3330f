/** Where the kernel's tracing files are, and what to do when they are not there. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';

/** Newer kernels have tracefs of its own; EL7 has it inside debugfs. */
const CANDIDATES = [
  { path: '/sys/kernel/tracing', type: 'tracefs' },
  { path: '/sys/kernel/debug/tracing', mountPoint: '/sys/kernel/debug', type: 'debugfs' },
] as const;

export type Tracefs =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly problem: string };

function isTracing(path: string): boolean {
  try {
    accessSync(`${path}/instances`, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Finds the tracing directory and mounts it where that is needed and allowed.
 * The problem is one line that says what is missing and how to get it.
 */
export function openTracefs(): Tracefs {
  for (const { path } of CANDIDATES) if (isTracing(path)) return { ok: true, path };
  if (process.getuid?.() !== 0) {
    return { ok: false, problem: 'reading kernel events needs root: run it with sudo' };
  }
  const filesystems = readFileSync('/proc/filesystems', 'utf8');
  for (const candidate of CANDIDATES) {
    const mountPoint = 'mountPoint' in candidate ? candidate.mountPoint : candidate.path;
    if (!filesystems.includes(`\t${candidate.type}\n`) || !existsSync(mountPoint)) continue;
    const mount = spawnSync('mount', ['-t', candidate.type, 'nodev', mountPoint], { encoding: 'utf8' });
    if (mount.status === 0 && isTracing(candidate.path)) return { ok: true, path: candidate.path };
    return {
      ok: false,
      problem: `cannot mount ${candidate.type} on ${mountPoint}: ${mount.stderr?.trim() || mount.error?.message || 'no tracing below it'}`,
    };
  }
  return {
    ok: false,
    problem:
      'this kernel has neither tracefs nor debugfs: it was built without CONFIG_FTRACE, use another kernel',
  };
}
