/**
 * A directory whose host can crash. It remembers what was forced to the disk: of each file its content when it was last
 * synced (fsync(2)), and of the directory its names when that was. What came after may be there after a crash or not:
 * names in the order in which they were given, as journals have it; of a file as much as the crash says.
 */
import * as fs from 'node:fs';
import { basename, join } from 'node:path';
import type { SpoolFiles } from '../../../../src/pipeline/spool/disk/files.ts';
import { systemError } from './fixture.ts';

interface Inode {
  /** Where its content is now; null when it has no name any more. */
  path: string | null;
  /** Its content when it lost its last name. */
  last: Buffer;
  synced: Buffer;
}

type Names = Map<string, Inode>;

export interface HostCrash {
  /** Which part of the names that were given or taken since the last sync is on the disk, 0 to 1. */
  readonly names: number;
  /** Which part of what was written to a file since its last sync. */
  readonly written: number;
  /** Whether the rest of it is there as zeros. */
  readonly zeros: boolean;
}

export interface CrashDisk {
  readonly directory: string;
  readonly files: Partial<SpoolFiles>;
  /** Takes no more bytes. */
  isFull: boolean;
  /** Forces nothing to the disk: an input/output error. */
  isBroken: boolean;
  /** Resolves when no call to it is under way. */
  idle(): Promise<void>;
  /** Calls back within the nth change from now on, when that is done. */
  interrupt(after: number, then: () => void): void;
  /** The process is killed: another directory with all that is there, synced or not. */
  kill(directory: string): CrashDisk;
  /** The host crashes: another directory with what is on the disk. */
  crash(directory: string, how: HostCrash): CrashDisk;
}

const DIRECTORY = Symbol('directory');

export function createCrashDisk(
  directory: string,
  names: Names = new Map(),
  syncedNames: Names = new Map(),
  pending: ((names: Names) => void)[] = [],
): CrashDisk {
  const descriptors = new Map<number, Inode | typeof DIRECTORY>();
  let changes = pending;
  let durable = syncedNames;
  let calls = 0;
  let interruption: { left: number; readonly then: () => void } | null = null;
  /** The process that used it is dead: what its remains do to the old directory is nobody's business. */
  let isDead = false;

  function contentOf({ path, last }: Inode): Buffer {
    return path === null ? last : fs.readFileSync(path);
  }

  function changed(change?: (names: Names) => void): void {
    if (isDead) return;
    if (change !== undefined) {
      change(names);
      changes.push(change);
    }
    if (interruption === null || --interruption.left > 0) return;
    const { then } = interruption;
    interruption = null;
    then();
  }

  function sync(descriptor: number): void {
    const what = descriptors.get(descriptor);
    if (isDead || what === undefined) return;
    if (what === DIRECTORY) {
      durable = new Map(names);
      changes = [];
    } else {
      what.synced = contentOf(what);
    }
    changed();
  }

  function syncNow(descriptor: number): void {
    if (disk.isBroken) throw systemError('EIO');
    sync(descriptor);
  }

  function syncAsync(descriptor: number, done: fs.NoParamCallback): void {
    calls++;
    const fault = disk.isBroken ? systemError('EIO') : null;
    if (fault === null) sync(descriptor);
    setImmediate(() => {
      calls--;
      done(fault);
    });
  }

  const files = {
    openSync(path: string, flags: number, mode?: number) {
      const descriptor = fs.openSync(path, flags, mode);
      const name = basename(path);
      if (isDead) return descriptor;
      if (path === directory) {
        descriptors.set(descriptor, DIRECTORY);
        return descriptor;
      }
      const known = names.get(name);
      const inode = known ?? { path, last: Buffer.alloc(0), synced: Buffer.alloc(0) };
      descriptors.set(descriptor, inode);
      if (known === undefined) changed((all) => all.set(name, inode));
      return descriptor;
    },
    closeSync(descriptor: number) {
      descriptors.delete(descriptor);
      fs.closeSync(descriptor);
    },
    writevSync(descriptor: number, parts: readonly Buffer[], at?: number) {
      const whole = Buffer.concat(parts);
      // A full disk takes what it has room for, and nothing at the next try.
      const count = fs.writeSync(descriptor, whole, 0, disk.isFull ? whole.length >> 1 : whole.length, at);
      changed();
      return count;
    },
    writeSync(descriptor: number, ...rest: [string]) {
      if (disk.isFull) throw systemError('ENOSPC');
      const count = fs.writeSync(descriptor, ...rest);
      changed();
      return count;
    },
    renameSync(from: string, to: string) {
      fs.renameSync(from, to);
      const inode = names.get(basename(from));
      if (inode === undefined || isDead) return;
      inode.path = to;
      changed((all) => {
        all.delete(basename(from));
        all.set(basename(to), inode);
      });
    },
    unlinkSync(path: string) {
      const inode = names.get(basename(path));
      if (inode !== undefined && !isDead) inode.last = contentOf(inode);
      fs.unlinkSync(path);
      if (inode === undefined || isDead) return;
      inode.path = null;
      changed((all) => all.delete(basename(path)));
    },
    fdatasync: syncAsync,
    fsync: syncAsync,
    fdatasyncSync: syncNow,
    fsyncSync: syncNow,
  };

  function afterCrash(inode: Inode, { written, zeros }: HostCrash): Buffer {
    const { synced } = inode;
    const now = contentOf(inode);
    if (!now.subarray(0, synced.length).equals(synced)) return synced;
    const kept = synced.length + Math.floor((now.length - synced.length) * written);
    const rest = Buffer.alloc(zeros ? now.length - kept : 0);
    return Buffer.concat([now.subarray(0, kept), rest]);
  }

  const disk: CrashDisk = {
    directory,
    files: files as unknown as Partial<SpoolFiles>,
    isFull: false,
    isBroken: false,
    async idle() {
      do await new Promise((resolve) => setImmediate(resolve));
      while (calls > 0);
    },
    interrupt(after, then) {
      interruption = { left: after, then };
    },
    kill(next) {
      isDead = true;
      for (const [name, inode] of names) {
        const path = join(next, name);
        fs.writeFileSync(path, contentOf(inode));
        inode.path = path;
      }
      return createCrashDisk(next, names, durable, changes);
    },
    crash(next, how) {
      isDead = true;
      const left: Names = new Map(durable);
      for (const change of changes.slice(0, Math.floor(changes.length * how.names))) change(left);
      const found: Names = new Map();
      for (const [name, inode] of left) {
        const content = afterCrash(inode, how);
        const path = join(next, name);
        fs.writeFileSync(path, content);
        found.set(name, { path, last: content, synced: content });
      }
      return createCrashDisk(next, found, new Map(found));
    },
  };
  return disk;
}
