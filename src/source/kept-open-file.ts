/**
 * Files of tracefs that stay open. The kernel asks who one is when a file is opened, not when it is used: the agent
 * opens them as root and goes on with them as somebody else.
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';

export interface KeptFile {
  /** The whole text of this moment; null when the kernel no longer gives one. */
  read(): Buffer | null;
  /** False when the kernel does not take it. */
  write(value: string): boolean;
  /** After it there is nothing to read or write; safe to call twice. */
  close(): void;
}

const CLOSED = -1;
/** More than any file that is read often has. */
const READ_BYTES = 8192;

/** Opens a file for reading, or for both; null when it is not there or not allowed. */
export function keepFile(path: string, access: 'read' | 'write'): KeptFile | null {
  let fd: number;
  try {
    fd = openSync(path, access === 'read' ? constants.O_RDONLY : constants.O_RDWR);
  } catch {
    return null;
  }
  return {
    read() {
      if (fd === CLOSED) return null;
      const parts: Buffer[] = [];
      let position = 0;
      try {
        for (;;) {
          const part = Buffer.allocUnsafe(READ_BYTES);
          // From the beginning: these files are made anew when they are read at position 0.
          const length = readSync(fd, part, 0, part.length, position);
          if (length === 0) return Buffer.concat(parts);
          parts.push(part.subarray(0, length));
          position += length;
        }
      } catch {
        return null;
      }
    },
    write(value) {
      if (fd === CLOSED) return false;
      try {
        // Where it stands: the kernel lets nobody choose a place in some of these files, and takes none of it in any.
        writeSync(fd, value);
        return true;
      } catch {
        return false;
      }
    },
    close() {
      if (fd === CLOSED) return;
      closeSync(fd);
      // The number soon is that of another file.
      fd = CLOSED;
    },
  };
}
