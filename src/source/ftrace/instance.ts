/** The agent's own ftrace instance. Other tracers on the host do not see its records, and it does not see theirs. */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type LockFault, lockDirectory } from '../../shared/directory-lock.ts';
import { isSystemError } from '../../shared/errors.ts';
import { DONE, type Opened, type Result, refusal, success } from '../../shared/result.ts';
import { escapeControls } from '../../shared/text.ts';
import { tryReadText } from '../../shared/try-read.ts';
import { readComm } from '../host/proc-thread.ts';

export interface Instance {
  /** Its directory below `instances/` of tracefs. */
  readonly path: string;
  /** It existed already: an earlier agent could not remove it. Its buffers may hold records. */
  readonly takenOver: boolean;
}

/** An instance that belongs to this process: the kernel gives it to no other one before `release`. */
export interface OwnInstance extends Instance {
  /** Safe to call twice. */
  release(): void;
}

/**
 * The process that has files of an instance open, such as `ktc (pid 7)`; null if /proc shows none. It may be in another pid
 * namespace, so this is for messages only: the lock decides who owns an instance.
 */
function findOwner(path: string): string | null {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    try {
      const open = readdirSync(`/proc/${pid}/fd`).some((fd) =>
        readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(`${path}/`),
      );
      const comm = open ? readComm(Number(pid)) : null;
      if (comm !== null) return `${escapeControls(comm)} (pid ${pid})`;
    } catch {
      // The process ended, or closed one of its descriptors, in the meantime.
    }
  }
  return null;
}

/** What to say of the owner of an instance that is locked. */
function describeOwner(path: string): string {
  return findOwner(path) ?? 'a process of another pid namespace';
}

/** The process that owns or reads an instance now, in words; null for none. */
export function ownerOf(path: string): string | null {
  const locked = lockDirectory(path);
  if (!locked.ok) return locked.fault === 'held' ? describeOwner(path) : null;
  const reader = findOwner(path);
  locked.value.release();
  return reader;
}

/** Makes a directory of an instance; false if it exists already. */
function makeInstance(path: string): Opened<boolean> {
  try {
    mkdirSync(path);
    return success(true);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const { code, message } = error;
    if (code === 'EEXIST') return success(false);
    return {
      ...refusal(`cannot make the ftrace instance ${path}: ${message}`),
      permission: code === 'EACCES' || code === 'EPERM',
    };
  }
}

/** Locks an instance. One that was made just now is removed again where nobody can tell whose it is. */
function lockInstance(path: string, takenOver: boolean): Result<OwnInstance, { fault: LockFault }> {
  const locked = lockDirectory(path);
  if (locked.ok) return success({ path, takenOver, release: locked.value.release });
  if (locked.fault === 'unknown' && !takenOver) removeInstance({ path, takenOver });
  return { ...refusal(`cannot lock the ftrace instance ${path}: ${locked.problem}`), fault: locked.fault };
}

/** Makes the instance, or takes over one that no process owns. Refuses one that another process owns or reads. */
export function openInstance(tracefs: string, name: string): Opened<OwnInstance> {
  const path = `${tracefs}/instances/${name}`;
  const inUse = (owner: string) =>
    refusal(`the ftrace instance ${name} is in use by ${owner}: stop it, or choose another source.instance`);
  for (;;) {
    const made = makeInstance(path);
    if (!made.ok) return made;
    const locked = lockInstance(path, !made.value);
    if (locked.ok) {
      // An agent of a version that locked nothing, or a person who reads `trace_pipe`.
      const reader = locked.value.takenOver ? findOwner(path) : null;
      if (reader === null) return locked;
      locked.value.release();
      return inUse(reader);
    }
    if (locked.fault === 'held') return inUse(describeOwner(path));
    // Otherwise its owner has removed it meanwhile.
    if (locked.fault === 'unknown') return refusal(locked.problem);
  }
}

/** The name of a private instance is tried with these endings. */
const MAX_PRIVATE = 100;

/** Matches what `openPrivateInstance` makes of the names that `name`, the source of a regular expression, matches. */
export function privateNames(name: string): RegExp {
  return new RegExp(`^(?:${name})(?:-\\d+)?$`);
}

/**
 * Makes an instance that no later process takes over, as `name`, or as `name-2` and so on where that exists: processes in
 * two pid namespaces may have the same id.
 */
export function openPrivateInstance(tracefs: string, name: string): Opened<OwnInstance> {
  for (let count = 1; count <= MAX_PRIVATE; count++) {
    const path = `${tracefs}/instances/${count === 1 ? name : `${name}-${count}`}`;
    const made = makeInstance(path);
    if (!made.ok) return made;
    if (!made.value) continue;
    const locked = lockInstance(path, false);
    if (locked.ok) return locked;
    // Otherwise another process took it for one that was left behind (`removeStaleInstances`), and removes it.
    if (locked.fault === 'unknown') return refusal(locked.problem);
  }
  return refusal(`cannot make the ftrace instance ${name}: there are ${MAX_PRIVATE} of this name already`);
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
  return tryReadText(`${instance.path}/${file}`)?.trim() ?? null;
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

/** Removes the instances of these names that no process owns: their processes were killed. */
export function removeStaleInstances(tracefs: string, names: RegExp): void {
  for (const name of readdirSync(`${tracefs}/instances`).filter((candidate) => names.test(candidate))) {
    const path = `${tracefs}/instances/${name}`;
    const locked = lockDirectory(path);
    if (!locked.ok) continue;
    // A tool of a version that locked nothing may own it.
    if (findOwner(path) === null) removeInstance({ path, takenOver: true });
    locked.value.release();
  }
}

/** Identifies an instance, also among instances of the same name: boot id (16 bytes) and inode (8 bytes, little-endian). */
export function instanceIdentity(instance: Instance, bootId: string): Buffer {
  const identity = Buffer.alloc(24);
  identity.write(bootId.replaceAll('-', ''), 'hex');
  identity.writeBigUInt64LE(statSync(instance.path, { bigint: true }).ino, 16);
  return identity;
}

/**
 * The number of CPUs that have a buffer, including offline CPUs. They are numbered from 0. `path` is that of an instance or
 * of tracefs itself, which have the same.
 */
export function bufferCpus({ path }: Pick<Instance, 'path'>): number {
  return readdirSync(`${path}/per_cpu`).length;
}

/** The CPUs that are online now, from /sys/devices/system/cpu/online: `0-3,8`. Throws the error of the system. */
export function onlineCpus(): number[] {
  return readFileSync('/sys/devices/system/cpu/online', 'utf8')
    .trim()
    .split(',')
    .flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}
