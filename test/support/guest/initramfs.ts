/**
 * Writes an initramfs: a cpio archive in the "newc" format (Linux, Documentation/driver-api/early-userspace/
 * buffer-format.rst). Uncompressed, because a guest without hardware virtualization copies faster than it inflates.
 */
import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path/posix';

/** Something to put into the guest: a file of the host, or text. */
export type GuestFile = { host: string } | { text: string; executable?: boolean };

const DIRECTORY = 0o040755;
const REGULAR = 0o100000;

/**
 * Writes the archive.
 * @param path of the archive on the host
 * @param files by absolute path in the guest; their directories are made
 * @param directories further directories to make, by absolute path in the guest
 * @throws when a host file cannot be read or the archive cannot be written
 */
export function writeInitramfs(path: string, files: Map<string, GuestFile>, directories: string[]): void {
  const archive = openSync(path, 'w');
  let inode = 0;
  const append = (name: string, mode: number, content: Buffer): void => {
    inode += 1;
    const terminated = `${name}\0`;
    const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, terminated.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${terminated}`;
    writeFileSync(archive, padded(Buffer.from(header)));
    writeFileSync(archive, content);
    writeFileSync(archive, Buffer.alloc(padding(content.length)));
  };
  try {
    for (const directory of withParents([...directories, ...[...files.keys()].map(dirname)])) {
      append(directory.slice(1), DIRECTORY, Buffer.alloc(0));
    }
    for (const [name, file] of files) {
      if ('host' in file) append(name.slice(1), REGULAR | permissions(file.host), readFileSync(file.host));
      else append(name.slice(1), REGULAR | (file.executable ? 0o755 : 0o644), Buffer.from(file.text));
    }
    append('TRAILER!!!', 0, Buffer.alloc(0));
  } finally {
    closeSync(archive);
  }
}

function permissions(path: string): number {
  return statSync(path).mode & 0o777;
}

/** The directories and all above them, each before what it contains. */
function withParents(directories: string[]): string[] {
  const all = new Set<string>();
  for (const directory of directories) {
    for (let at = directory; at !== '/'; at = dirname(at)) all.add(at);
  }
  return [...all].sort();
}

function padding(length: number): number {
  return -length & 3;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(padding(bytes.length))]);
}
