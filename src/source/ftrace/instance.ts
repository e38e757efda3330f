/** The agent's own ftrace instance. Other tracers on the host do not see its records, and it does not see theirs. */
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
import { isSystemError } from '../../shared/errors.ts';
import { DONE, type Opened, type Result, refusal, success } from '../../shared/result.ts';

export interface Instance {
  /** Its directory below `instances/` of tracefs. */
  readonly path: string;
  /** It existed already: an earlier agent could not remove it. Its buffers may hold records. */
  readonly takenOver: boolean;
}

/** The process that has files of an instance open, such as `ktc (pid 7)`; null if there is none. */
export function findOwner(path: string): string | null {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    try {
      const open = readdirSync(`/proc/${pid}/fd`).some((fd) =>
        readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(`${path}/`),
      );
      if (open) return `${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()} (pid ${pid})`;
    } catch {
      // The process ended, or closed one of its descriptors, in the meantime.
    }
  }
  return null;
}

/** Makes the instance, or takes over one that no process reads. Refuses one that another process reads. */
export function openInstance(tracefs: string, name: string): Opened<Instance> {
  const path = `${tracefs}/instances/${name}`;
  try {
    mkdirSync(path);
    return success({ path, takenOver: false });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const { code, message } = error;
    if (code !== 'EEXIST') {
      return {
        ...refusal(`cannot make the ftrace instance ${path}: ${message}`),
        permission: code === 'EACCES',
      };
    }
  }
  const owner = findOwner(path);
  if (owner === null) return success({ path, takenOver: true });
  return refusal(
    `the ftrace instance ${name} is in use by ${owner}: stop it, or choose another source.instance`,
  );
}

/** Writes one of the instance's files; `file` is relative to its directory. */
export function writeSetting(instance: Instance, file: string, value: string): Result {
  try {
    writeFileSync(`${instance.path}/${file}`, value);
    return DONE;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return refusal(`cannot write "${value}" to ${instance.path}/${file}: ${error.message}`);
  }
}

/** The text of one of the instance's files, trimmed; null if the kernel does not give it. */
export function readSetting(instance: Instance, file: string): string | null {
  try {
    return readFileSync(`${instance.path}/${file}`, 'utf8').trim();
  } catch {
    return null;
  }
}

/** The value in use of a file that lists all values: `[local] global mono` → `local`. */
function selectedValue(setting: string | null): string | null {
  return setting === null ? null : (/\[(\S+)\]/.exec(setting)?.[1] ?? null);
}

/**
 * Sets the clock and the size of the buffers (KiB per CPU), and starts recording. Writes only what differs: a new clock
 * clears the buffers, and those of a taken-over instance may hold records. Gives the name of the clock.
 */
export function prepareInstance(instance: Instance, bufferKb: number): Opened<string> {
  const clocks = readSetting(instance, 'trace_clock') ?? '';
  const clock = /\bmono\b/.test(clocks) ? 'mono' : 'global';
  const settings: [string, string][] = [];
  if (selectedValue(clocks) !== clock) settings.push(['trace_clock', clock]);
  if (readSetting(instance, 'per_cpu/cpu0/buffer_size_kb')?.split(' ')[0] !== String(bufferKb)) {
    settings.push(['buffer_size_kb', String(bufferKb)]);
  }
  // Wake a waiting reader at the first record, not when half of the buffer is full. EL7 always does so.
  if (existsSync(`${instance.path}/buffer_percent`)) settings.push(['buffer_percent', '0']);
  settings.push(['tracing_on', '1']);
  for (const [file, value] of settings) {
    const written = writeSetting(instance, file, value);
    if (!written.ok) return written;
  }
  return success(clock);
}

/**
 * Removes the instance. All of its files must be closed. One that does not exist counts as removed.
 *
 * On EL7 removing frees the instance while another CPU may still record into it (kernel/trace/trace_events.c,
 * `event_trace_del_tracer`). So its events are switched off first, and then `trace` is truncated, which waits until every
 * CPU has passed the point where it could record (kernel/trace/trace.c, `tracing_reset_online_cpus`).
 */
export function removeInstance(instance: Instance): Result {
  writeSetting(instance, 'events/enable', '0');
  writeSetting(instance, 'trace', '');
  try {
    rmdirSync(instance.path);
    return DONE;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const { code, message } = error;
    if (code === 'ENOENT') return DONE;
    const owner = code === 'EBUSY' ? findOwner(instance.path) : null;
    const reason = owner === null ? message : `${owner} uses it`;
    return refusal(`cannot remove the ftrace instance ${instance.path}: ${reason}`);
  }
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

/**
 * Removes the instances of processes that have ended. The first group of the pattern is the process id in the name of
 * the instance. The kernel refuses to remove an instance in use, for example by a process of another pid namespace. An
 * instance with this process's own id belonged to an earlier process with the same id.
 */
export function removeStaleInstances(tracefs: string, pattern: RegExp): void {
  for (const name of readdirSync(`${tracefs}/instances`)) {
    const pid = Number(pattern.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(pid) || (isAlive(pid) && pid !== process.pid)) continue;
    removeInstance({ path: `${tracefs}/instances/${name}`, takenOver: true });
  }
}

/** Identifies an instance, also among instances of the same name: boot id (16 bytes) and inode (8 bytes, little-endian). */
export function instanceIdentity(instance: Instance, bootId: string): Buffer {
  const identity = Buffer.alloc(24);
  identity.write(bootId.replaceAll('-', ''), 'hex');
  identity.writeBigUInt64LE(statSync(instance.path, { bigint: true }).ino, 16);
  return identity;
}

/** The number of CPUs that have a buffer, including offline CPUs. They are numbered from 0. */
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
