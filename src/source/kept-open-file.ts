/**
 * Keeps files of tracefs open. The kernel checks permissions when a file is opened, not when it is used: the agent opens
 * the files as root and can still use them after it has given up root.
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';

export interface KeptFile {
  /** The whole current content, a character for each byte; null if the kernel does not give it any more. */
  read(): string | null;
  /** False if the kernel refuses the value. */
  write(value: string): boolean;
  /** Later reads give null, and later writes false. Safe to call twice. */
  close(): void;
}

const CLOSED = -1;
/** More than the size of each file that is read often. Buffers of this size would not come from Node.js' pool. */
const scratch = Buffer.allocUnsafeSlow(8192);
/**
 * A read that gives less is the whole content: the kernel fills at least a page of 4096 bytes, but for a line that it has
 * no room for (`seq_read`), and no line is half as long.
 */
const LEAST_PART_BYTES = 2048;

/** Opens a file for reading, or for reading and writing; null if it does not exist or this process may not open it. */
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
      let text = '';
      try {
        for (;;) {
          // From the beginning: the kernel makes the content of these files when they are read at position 0.
          const length = readSync(fd, scratch, 0, scratch.length, text.length);
          text += scratch.toString('latin1', 0, length);
          if (length < LEAST_PART_BYTES) return text;
        }
      } catch {
        return null;
      }
    },
    write(value) {
      if (fd === CLOSED) return false;
      try {
        // Write at the current position: some tracefs files reject an offset, and the others ignore it.
        writeSync(fd, value);
        return true;
      } catch {
        return false;
      }
    },
    close() {
      if (fd === CLOSED) return;
      closeSync(fd);
      // Another file may get the same descriptor soon.
      fd = CLOSED;
    },
  };
}
