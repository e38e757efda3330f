/**
 * A directory whose host can crash. What was forced to the disk is there afterwards. What came after may be there or not:
 * names in the order in which they were given, as journals have it; of a file as much as the crash says.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { SpoolFiles } from '../../../../src/pipeline/spool/disk/files.ts';
import { createCrashFiles, type DiskFaults } from './crash-files.ts';
import { contentOf, createJournal, type Inode, type Names } from './journal.ts';

export interface HostCrash {
  /** Which part of the names that were given or taken since the last sync is on the disk, 0 to 1. */
  readonly names: number;
  /** Which part of the bytes that were written to a file since its last sync, 0 to 1. */
  readonly written: number;
  /** Whether the rest of them is there as zeros. */
  readonly zeros: boolean;
}

export interface CrashDisk extends DiskFaults {
  readonly directory: string;
  readonly files: Partial<SpoolFiles>;
  /** Resolves when no call to it is under way. */
  idle(): Promise<void>;
  /** Calls back within the nth change from now on, when that is done. */
  interrupt(after: number, then: () => void): void;
  /** The process is killed: another directory with all that is there, synced or not. */
  kill(directory: string): CrashDisk;
  /** The host crashes: another directory with what is on the disk. */
  crash(directory: string, how: HostCrash): CrashDisk;
}

export function createCrashDisk(directory: string, journal = createJournal()): CrashDisk {
  const faults: DiskFaults = { isFull: false, isBroken: false };
  const { files, idle } = createCrashFiles(directory, journal, faults);
  return Object.assign(faults, {
    directory,
    files,
    idle,
    interrupt: journal.interrupt,
    kill(next: string) {
      journal.die();
      const { names, syncedNames, changes } = journal;
      for (const [name, inode] of names) {
        const path = join(next, name);
        fs.writeFileSync(path, contentOf(inode));
        inode.path = path;
      }
      return createCrashDisk(next, createJournal(names, syncedNames, changes));
    },
    crash(next: string, how: HostCrash) {
      journal.die();
      const { syncedNames, changes } = journal;
      const left: Names = new Map(syncedNames);
      for (const change of changes.slice(0, Math.floor(changes.length * how.names))) change(left);
      const found: Names = new Map();
      for (const [name, inode] of left) {
        const content = contentAfter(how, inode);
        const path = join(next, name);
        fs.writeFileSync(path, content);
        found.set(name, { path, last: content, synced: content });
      }
      return createCrashDisk(next, createJournal(found, new Map(found)));
    },
  });
}

function contentAfter({ written, zeros }: HostCrash, inode: Inode): Buffer {
  const { synced } = inode;
  const now = contentOf(inode);
  if (!now.subarray(0, synced.length).equals(synced)) return synced;
  const kept = synced.length + Math.floor((now.length - synced.length) * written);
  const rest = Buffer.alloc(zeros ? now.length - kept : 0);
  return Buffer.concat([now.subarray(0, kept), rest]);
}
