/** A small disk of a row's own, to be filled, broken and mended. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Disk {
  readonly path: string;
  /** Takes all the room that is left. */
  fill(): void;
  /** Gives it back. */
  free(): void;
  /** Removes it, open files or not. */
  close(): void;
}

const BALLAST = Buffer.alloc(2 ** 20);

function mountDisk(mount: (path: string) => void): Disk {
  const path = mkdtempSync(join(tmpdir(), 'ktc-disk-'));
  mount(path);
  const ballast = join(path, 'ballast');
  return {
    path,
    fill() {
      try {
        for (;;) writeFileSync(ballast, BALLAST, { flag: 'a' });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    free: () => rmSync(ballast, { force: true }),
    close() {
      execFileSync('umount', ['--lazy', path]);
      rmSync(path, { recursive: true });
    },
  };
}

/** In memory. */
export function openDisk(megabytes: number): Disk {
  return mountDisk((path) => {
    const options = `size=${megabytes}m,mode=0700`;
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'ktc-disk', path]);
  });
}

export interface JournalledDisk extends Disk {
  /** What the kernel does when it finds the file system damaged: from now on nothing can be written. */
  abort(): void;
}

/** ext4 in a file in memory, which becomes read-only at its first error. */
export function openJournalledDisk(megabytes: number): JournalledDisk {
  const store = openDisk(megabytes + 8);
  const image = join(store.path, 'image');
  execFileSync('mkfs.ext4', ['-q', '-F', image, `${megabytes}M`]);
  const disk = mountDisk((path) => {
    execFileSync('mount', ['-o', 'loop,errors=remount-ro', image, path]);
  });
  return {
    ...disk,
    abort: () => void execFileSync('mount', ['-o', 'remount,abort', disk.path]),
    close() {
      disk.close();
      store.close();
    },
  };
}
