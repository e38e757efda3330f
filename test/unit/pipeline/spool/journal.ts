/**
 * What of a directory would be there after a crash of its host: of each file its content when it was last synced
 * (fsync(2)), and the names that the directory had when it was.
 */
import * as fs from 'node:fs';

export interface Inode {
  /** Where its content is now; null when it has no name any more. */
  path: string | null;
  /** Its content when it lost its last name. */
  last: Buffer;
  synced: Buffer;
}

export type Names = Map<string, Inode>;
export type NameChange = (names: Names) => void;

export interface Journal {
  /** The names that the directory has now. */
  readonly names: Names;
  readonly syncedNames: Names;
  /** What became of the names since then, in order. */
  readonly changes: readonly NameChange[];
  /** The process that used the directory is dead: what is left of it may still write, but changes nothing. */
  readonly isDead: boolean;
  /** Notes a change of the names or, without one, of a file. */
  noteChange(change?: NameChange): void;
  syncFile(inode: Inode): void;
  syncNames(): void;
  /** Calls back within the nth change from now on, when that is done. */
  interrupt(after: number, then: () => void): void;
  die(): void;
}

export function contentOf({ path, last }: Inode): Buffer {
  return path === null ? last : fs.readFileSync(path);
}

export function createJournal(
  names: Names = new Map(),
  syncedNames: Names = new Map(),
  changes: readonly NameChange[] = [],
): Journal {
  let durable = syncedNames;
  let pending = [...changes];
  let isDead = false;
  let interruption: { left: number; readonly then: () => void } | null = null;

  function noteChange(change?: NameChange): void {
    if (isDead) return;
    if (change !== undefined) {
      change(names);
      pending.push(change);
    }
    if (interruption === null || --interruption.left > 0) return;
    const { then } = interruption;
    interruption = null;
    then();
  }

  return {
    names,
    get syncedNames() {
      return durable;
    },
    get changes() {
      return pending;
    },
    get isDead() {
      return isDead;
    },
    noteChange,
    syncFile(inode) {
      if (isDead) return;
      inode.synced = contentOf(inode);
      noteChange();
    },
    syncNames() {
      if (isDead) return;
      durable = new Map(names);
      pending = [];
      noteChange();
    },
    interrupt(after, then) {
      interruption = { left: after, then };
    },
    die() {
      isDead = true;
    },
  };
}
