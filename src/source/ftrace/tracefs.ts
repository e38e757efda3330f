/** Finds the directory of the kernel's tracing files. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { type Result, refusal, success } from '../../shared/result.ts';

/** Newer kernels mount tracefs on its own directory; EL7 has the files inside debugfs. */
const CANDIDATES = [
  { path: '/sys/kernel/tracing', type: 'tracefs' },
  { path: '/sys/kernel/debug/tracing', mountPoint: '/sys/kernel/debug', type: 'debugfs' },
] as const;

function isTracing(path: string): boolean {
  try {
    accessSync(`${path}/instances`, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Finds the kernel's tracing directory, and mounts it if that is necessary and allowed. Gives its path. */
export function openTracefs(): Result<string> {
  for (const { path } of CANDIDATES) if (isTracing(path)) return success(path);
  if (process.getuid?.() !== 0) return refusal('reading kernel events needs root: run it with sudo');
  const filesystems = readFileSync('/proc/filesystems', 'utf8');
  for (const candidate of CANDIDATES) {
    const mountPoint = 'mountPoint' in candidate ? candidate.mountPoint : candidate.path;
    if (!filesystems.includes(`\t${candidate.type}\n`) || !existsSync(mountPoint)) continue;
    const mount = spawnSync('mount', ['-t', candidate.type, 'nodev', mountPoint], { encoding: 'utf8' });
    if (mount.status === 0 && isTracing(candidate.path)) return success(candidate.path);
    const reason = mount.stderr?.trim() || mount.error?.message || 'no tracing below it';
    return refusal(`cannot mount ${candidate.type} on ${mountPoint}: ${reason}`);
  }
  return refusal(
    'this kernel has neither tracefs nor debugfs: it was built without CONFIG_FTRACE, use another kernel',
  );
}
