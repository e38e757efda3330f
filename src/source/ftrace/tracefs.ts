/** Finds the directory of the kernel's tracing files. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { isSystemError } from '../../shared/errors.ts';
import { type Opened, refusal, success } from '../../shared/result.ts';
import { tryReadText } from '../../shared/try-read.ts';

/** Newer kernels mount tracefs on its own directory; EL7 has the files inside debugfs. */
const CANDIDATES = [
  { path: '/sys/kernel/tracing', mountPoint: '/sys/kernel/tracing', type: 'tracefs' },
  { path: '/sys/kernel/debug/tracing', mountPoint: '/sys/kernel/debug', type: 'debugfs' },
] as const;

/** Its text has the mode in use in brackets (security/lockdown/lockdown.c, `lockdown_read`). */
const LOCKDOWN = '/sys/kernel/security/lockdown';

/** Null if instances can be made below this directory, else the code of errno(3). */
function tracingFault(path: string): string | null {
  try {
    accessSync(`${path}/instances`, constants.W_OK);
    return null;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return error.code ?? error.message;
  }
}

/** Root of a user namespace is an ordinary user of the host: only the first namespace maps all ids to themselves. */
function isRootElsewhere(): boolean {
  const map = tryReadText('/proc/self/uid_map');
  return map !== null && map.trim().replace(/ +/g, ' ') !== '0 0 4294967295';
}

function forbidden(problem: string): Opened<never> {
  return { ...refusal(problem), permission: true };
}

/** Finds the kernel's tracing directory, and mounts it if that is necessary and allowed. Gives its path. */
export function openTracefs(): Opened<string> {
  const faults = CANDIDATES.map(({ path }) => ({ path, fault: tracingFault(path) }));
  const usable = faults.find(({ fault }) => fault === null);
  if (usable !== undefined) {
    if (tryReadText(LOCKDOWN)?.includes('[confidentiality]') !== true) return success(usable.path);
    return refusal(
      `the kernel is locked down (${LOCKDOWN} is confidentiality): it lets nobody read its events`,
    );
  }
  if (process.getuid?.() !== 0) return forbidden('reading kernel events needs root: run it with sudo');
  const readOnly = faults.find(({ fault }) => fault === 'EROFS');
  if (readOnly !== undefined) {
    const { path } = readOnly;
    return refusal(`${path} is mounted read-only: mount -o remount,rw ${path}, outside of a container`);
  }
  if (isRootElsewhere()) {
    return forbidden(
      'reading kernel events needs root of the host, and this is root of a user namespace: start it outside',
    );
  }
  const denied = faults.find(({ fault }) => fault === 'EACCES' || fault === 'EPERM');
  if (denied !== undefined) {
    return forbidden(
      `${denied.path} is closed to this process, although it is root (${denied.fault}): does SELinux or AppArmor forbid it?`,
    );
  }
  return mountTracefs();
}

/** Mounts what this kernel has. */
function mountTracefs(): Opened<string> {
  const filesystems = tryReadText('/proc/filesystems');
  if (filesystems === null) {
    return refusal(
      '/proc/filesystems cannot be read: the agent needs the whole /proc (mount -t proc proc /proc)',
    );
  }
  const candidate = CANDIDATES.find(({ type }) => filesystems.split('\n').includes(`nodev\t${type}`));
  if (candidate === undefined) {
    return refusal(
      'this kernel has neither tracefs nor debugfs: it was built without CONFIG_FTRACE, use another kernel',
    );
  }
  const { path, mountPoint, type } = candidate;
  if (!existsSync(mountPoint)) {
    return refusal(`there is no ${mountPoint}: the agent needs sysfs (mount -t sysfs sysfs /sys)`);
  }
  const { status, error, stderr } = spawnSync('mount', ['-t', type, 'nodev', mountPoint], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  const fault = status === 0 ? tracingFault(path) : null;
  if (status === 0 && fault === null) return success(path);
  // The other lines are advice to look at dmesg.
  const [said = ''] = stderr?.trim().split('\n') ?? [];
  const reason = fault ?? (said || error?.message || `mount(8) ended with ${status}`);
  const refused = refusal(`cannot mount ${type} on ${mountPoint}: ${reason}`);
  return { ...refused, permission: /permission denied|not permitted|superuser/i.test(reason) };
}
