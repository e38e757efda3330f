/** Our own ftrace instance: other tracers on the host neither see it nor are seen by it. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { Opened } from '../../shared/result.ts';

export interface Instance {
  readonly path: string;
  /** It was there already, left by a run that could not clean up; its buffers may hold records. */
  readonly takenOver: boolean;
}

function faultOf(error: unknown): { code: string; message: string } {
  const { code = '', message = String(error) } = error as NodeJS.ErrnoException;
  return { code, message };
}

/** The process that has files of an instance open: a living owner. Only asked when the instance already exists. */
function findOwner(path: string): string | null {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    try {
      const open = readdirSync(`/proc/${pid}/fd`).some((fd) =>
        readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(`${path}/`),
      );
      if (open) return `${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()} (pid ${pid})`;
    } catch {
      // The process or one of its descriptors went away while we looked.
    }
  }
  return null;
}

/** Makes the instance, or takes over one that nobody reads any more. */
export function openInstance(tracefs: string, name: string): Opened<Instance> {
  const path = `${tracefs}/instances/${name}`;
  try {
    mkdirSync(path);
    return { ok: true, value: { path, takenOver: false } };
  } catch (error) {
    const { code, message } = faultOf(error);
    if (code !== 'EEXIST') {
      return {
        ok: false,
        problem: `cannot make the ftrace instance ${path}: ${message}`,
        permission: code === 'EACCES',
      };
    }
  }
  const owner = findOwner(path);
  if (owner !== null) {
    return {
      ok: false,
      problem: `the ftrace instance ${name} is in use by ${owner}: stop it, or choose another source.instance`,
    };
  }
  return { ok: true, value: { path, takenOver: true } };
}

/** Writes one of the instance's files; the problem is one line with the kernel's word. */
export function writeSetting(instance: Instance, file: string, value: string): string | null {
  try {
    writeFileSync(`${instance.path}/${file}`, value);
    return null;
  } catch (error) {
    return `cannot write "${value}" to ${instance.path}/${file}: ${faultOf(error).message}`;
  }
}

export function readSetting(instance: Instance, file: string): string | null {
  try {
    return readFileSync(`${instance.path}/${file}`, 'utf8').trim();
  } catch {
    return null;
  }
}

/** `[local] global mono` → `local`. */
function chosen(setting: string | null): string | null {
  return setting === null ? null : (/\[(\S+)\]/.exec(setting)?.[1] ?? null);
}

/**
 * Sets clock and buffers, touching only what differs: a new clock clears the buffers, and those of a taken-over
 * instance may hold records. Gives the clock's name.
 */
export function prepareInstance(instance: Instance, bufferKb: number): Opened<string> {
  const clocks = readSetting(instance, 'trace_clock') ?? '';
  const clock = /\bmono\b/.test(clocks) ? 'mono' : 'global';
  const settings: [string, string][] = [];
  if (chosen(clocks) !== clock) settings.push(['trace_clock', clock]);
  if (readSetting(instance, 'per_cpu/cpu0/buffer_size_kb')?.split(' ')[0] !== String(bufferKb)) {
    settings.push(['buffer_size_kb', String(bufferKb)]);
  }
  // Wake a waiting reader at the first record, not when half of the buffer is full; EL7 always does.
  if (existsSync(`${instance.path}/buffer_percent`)) settings.push(['buffer_percent', '0']);
  settings.push(['tracing_on', '1']);
  for (const [file, value] of settings) {
    const problem = writeSetting(instance, file, value);
    if (problem !== null) return { ok: false, problem };
  }
  return { ok: true, value: clock };
}

/** Removes the instance; every file of it must be closed. Null when it is gone. */
export function removeInstance(instance: Instance): string | null {
  try {
    rmdirSync(instance.path);
    return null;
  } catch (error) {
    const { code, message } = faultOf(error);
    if (code === 'ENOENT') return null;
    const owner = code === 'EBUSY' ? findOwner(instance.path) : null;
    return `cannot remove the ftrace instance ${instance.path}: ${owner === null ? message : `${owner} uses it`}`;
  }
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

/**
 * Removes instances that are named after a process which has ended, the pattern's first group. One in use, as by a
 * process of another pid namespace, is refused by the kernel and stays. One that has this process's own id was left by
 * another that had it before.
 */
export function removeStaleInstances(tracefs: string, pattern: RegExp): void {
  for (const name of readdirSync(`${tracefs}/instances`)) {
    const pid = Number(pattern.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(pid) || (isAlive(pid) && pid !== process.pid)) continue;
    removeInstance({ path: `${tracefs}/instances/${name}`, takenOver: true });
  }
}

/** Tells this instance from every other one, also of the same name: boot id (16 bytes) and inode (8 bytes). */
export function instanceIdentity(instance: Instance, bootId: string): Buffer {
  const identity = Buffer.alloc(24);
  identity.write(bootId.replaceAll('-', ''), 'hex');
  identity.writeBigUInt64LE(statSync(instance.path, { bigint: true }).ino, 16);
  return identity;
}

/** How many CPUs have a buffer, offline ones included; they are numbered from 0. */
export function bufferCpus(instance: Instance): number {
  return readdirSync(`${instance.path}/per_cpu`).length;
}

/** The CPUs that are online now, from /sys/devices/system/cpu/online: `0-3,8`. */
export function onlineCpus(): number[] {
  return readFileSync('/sys/devices/system/cpu/online', 'utf8')
    .trim()
    .split(',')
    .flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}
