/** The cursor of a sink, which says how far it has come: a small file, written in place. */
import { constants } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { isSystemError } from '../../../shared/errors.ts';
import { hex32 } from '../../../shared/text.ts';
import { type SpoolFiles, withFile } from './files.ts';
import { syncPath } from './sync.ts';

/** `ktc-cursor 1 <ordinal> <CRC-32 of all before it, hexadecimal>`: every event before the ordinal is settled. */
const CURSOR = /^(ktc-cursor 1 (\d+)) ([0-9a-f]{8})\n$/;
const NAME = /^cursor\.([a-z0-9_-]+)$/;

/** A cursor file; `damaged` is one whose CRC is wrong, or that is no cursor. */
export type FoundCursor =
  | { readonly kind: 'found'; readonly ordinal: number }
  | { readonly kind: 'missing' }
  | { readonly kind: 'damaged'; readonly path: string };

function checksum(text: string): string {
  return hex32(crc32(text));
}

/** The content of the file. */
export function cursorText(ordinal: number): string {
  const text = `ktc-cursor 1 ${ordinal}`;
  return `${text} ${checksum(text)}\n`;
}

function cursorPath(directory: string, sink: string): string {
  return join(directory, `cursor.${sink}`);
}

/** Throws the error of the system, unless the file is missing. */
export function readCursor(directory: string, sink: string, files: SpoolFiles): FoundCursor {
  const path = cursorPath(directory, sink);
  let text: string;
  try {
    text = files.readFileSync(path, 'latin1');
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return { kind: 'missing' };
    throw error;
  }
  const [, signed = '', ordinal, sum] = CURSOR.exec(text) ?? [];
  if (ordinal === undefined || checksum(signed) !== sum) return { kind: 'damaged', path };
  return { kind: 'found', ordinal: Number(ordinal) };
}

/** The sinks that have a cursor in the directory. Throws the error of the system. */
export function listCursors(directory: string, files: SpoolFiles): string[] {
  return files.readdirSync(directory).flatMap((name) => NAME.exec(name)?.[1] ?? []);
}

/** Throws the error of the system. */
export function removeCursor(directory: string, sink: string, files: SpoolFiles): void {
  files.unlinkSync(cursorPath(directory, sink));
}

/**
 * Writes how far a sink has come. What is written outlives this process, and `syncCursor` forces it to the disk.
 *
 * In place: a cursor only grows, so its text never gets shorter, and a process that is killed leaves the old one or the new
 * one. So does a host that crashes, because the text lies within one sector of the disk. Gives the error of the system, or
 * null.
 */
export function writeCursor(
  directory: string,
  sink: string,
  ordinal: number,
  files: SpoolFiles,
): NodeJS.ErrnoException | null {
  const path = cursorPath(directory, sink);
  const text = cursorText(ordinal);
  try {
    withFile(files, path, constants.O_WRONLY, (descriptor) => files.writeSync(descriptor, text));
    return null;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return error.code === 'ENOENT' ? createCursor(directory, path, text, files) : error;
  }
}

/** The first time: under another name, and forced to the disk, so that there is never a file without its text. */
function createCursor(
  directory: string,
  path: string,
  text: string,
  files: SpoolFiles,
): NodeJS.ErrnoException | null {
  const { O_CREAT, O_TRUNC, O_WRONLY } = constants;
  try {
    withFile(files, `${path}.new`, O_WRONLY | O_CREAT | O_TRUNC, (descriptor) => {
      files.writeSync(descriptor, text);
      files.fdatasyncSync(descriptor);
    });
    files.renameSync(`${path}.new`, path);
    withFile(files, directory, constants.O_RDONLY, files.fsyncSync);
    return null;
  } catch (error) {
    if (isSystemError(error)) return error;
    throw error;
  }
}

/** Forces a cursor that was written to the disk. Resolves with the error of the system, or null. */
export function syncCursor(
  directory: string,
  sink: string,
  files: SpoolFiles,
): Promise<NodeJS.ErrnoException | null> {
  return syncPath(cursorPath(directory, sink), files, 'fdatasync');
}
