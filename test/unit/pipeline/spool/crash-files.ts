/** System calls on a directory with a journal, whose disk can be full or broken. */
import * as fs from 'node:fs';
import { basename } from 'node:path';
import type { SpoolFiles } from '../../../../src/pipeline/spool/disk/files.ts';
import { systemError } from './fixture.ts';
import { contentOf, type Inode, type Journal } from './journal.ts';

export interface DiskFaults {
  /** Takes no more bytes. */
  isFull: boolean;
  /** Forces nothing to the disk: an input/output error. */
  isBroken: boolean;
}

export interface CrashFiles {
  readonly files: Partial<SpoolFiles>;
  /** Resolves when no call is under way. */
  idle(): Promise<void>;
}

const DIRECTORY = Symbol('directory');
type Descriptors = Map<number, Inode | typeof DIRECTORY>;

export function createCrashFiles(directory: string, journal: Journal, faults: DiskFaults): CrashFiles {
  const descriptors: Descriptors = new Map();
  const { files, idle } = syncCalls(descriptors, journal, faults);
  const all = {
    ...files,
    ...nameCalls(directory, descriptors, journal),
    ...writeCalls(journal, faults),
  };
  return { files: all as unknown as Partial<SpoolFiles>, idle };
}

function syncCalls(descriptors: Descriptors, journal: Journal, faults: DiskFaults) {
  let calls = 0;

  function sync(descriptor: number): void {
    const opened = descriptors.get(descriptor);
    if (opened === DIRECTORY) journal.syncNames();
    else if (opened !== undefined) journal.syncFile(opened);
  }

  function syncNow(descriptor: number): void {
    if (faults.isBroken) throw systemError('EIO');
    sync(descriptor);
  }

  function syncLater(descriptor: number, done: fs.NoParamCallback): void {
    calls++;
    const fault = faults.isBroken ? systemError('EIO') : null;
    if (fault === null) sync(descriptor);
    setImmediate(() => {
      calls--;
      done(fault);
    });
  }

  return {
    files: { fdatasync: syncLater, fsync: syncLater, fdatasyncSync: syncNow, fsyncSync: syncNow },
    async idle() {
      do await new Promise((resolve) => setImmediate(resolve));
      while (calls > 0);
    },
  };
}

function nameCalls(directory: string, descriptors: Descriptors, journal: Journal) {
  const { names } = journal;
  return {
    openSync(path: string, flags: number, mode?: number) {
      const descriptor = fs.openSync(path, flags, mode);
      const name = basename(path);
      if (journal.isDead) return descriptor;
      if (path === directory) {
        descriptors.set(descriptor, DIRECTORY);
        return descriptor;
      }
      const known = names.get(name);
      const inode = known ?? { path, last: Buffer.alloc(0), synced: Buffer.alloc(0) };
      descriptors.set(descriptor, inode);
      if (known === undefined) journal.noteChange((all) => all.set(name, inode));
      return descriptor;
    },
    closeSync(descriptor: number) {
      descriptors.delete(descriptor);
      fs.closeSync(descriptor);
    },
    renameSync(from: string, to: string) {
      fs.renameSync(from, to);
      const inode = names.get(basename(from));
      if (inode === undefined || journal.isDead) return;
      inode.path = to;
      journal.noteChange((all) => {
        all.delete(basename(from));
        all.set(basename(to), inode);
      });
    },
    unlinkSync(path: string) {
      const inode = names.get(basename(path));
      if (inode !== undefined && !journal.isDead) inode.last = contentOf(inode);
      fs.unlinkSync(path);
      if (inode === undefined || journal.isDead) return;
      inode.path = null;
      journal.noteChange((all) => all.delete(basename(path)));
    },
  };
}

function writeCalls(journal: Journal, faults: DiskFaults) {
  return {
    writevSync(descriptor: number, parts: readonly Buffer[], at?: number) {
      const whole = Buffer.concat(parts);
      // A full disk takes the bytes that it has room for, and none at the next call.
      const length = faults.isFull ? whole.length >> 1 : whole.length;
      const count = fs.writeSync(descriptor, whole, 0, length, at);
      journal.noteChange();
      return count;
    },
    writeSync(descriptor: number, ...rest: [string]) {
      if (faults.isFull) throw systemError('ENOSPC');
      const count = fs.writeSync(descriptor, ...rest);
      journal.noteChange();
      return count;
    },
  };
}
