/** Writes events as NDJSON to a file, rotated by size: path, then path.1 (newest) to path.N. */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { isatty } from 'node:tty';
import { hasErrorCode, isSystemError, orNull } from '../../shared/errors.ts';
import { DONE } from '../../shared/result.ts';
import { createTurns } from '../../shared/turns.ts';
import { type Batch, rangeOf } from '../batch.ts';
import { ACKNOWLEDGED, notReady, type Readiness, retryAll, type SendResult, type Sink } from '../sink.ts';
import type { SinkLog } from '../sink-log.ts';
import { explainFileFault, notPlain } from './fault.ts';
import { findTarget } from './target.ts';

export interface FileSinkOptions {
  readonly path: string;
  /** The file is rotated before it would grow beyond this; only a single larger event makes a larger file. */
  readonly maxBytes: number;
  /** How many files are kept, including the current one; at least 1. */
  readonly maxFiles: number;
  readonly log: SinkLog;
}

const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOCTTY;
const MODE = 0o640;
const NEWLINE = 0x0a;
/** Faults that pass without an operator. */
const MAY_PASS = ['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE'];

interface OpenFile {
  readonly handle: FileHandle;
  /** Where the path leads to. */
  readonly target: string;
  readonly inode: number;
  readonly device: number;
}

/**
 * Acknowledged means written: the kernel has the bytes. They survive the end of the agent, kill -9 included, but not a
 * crash of the host within the kernel's write-back time (30 s by default). `close` also syncs to disk.
 *
 * Others (logrotate) may move, remove or truncate the file at any time: the next batch goes to a new file under `path`.
 * Where `path` is a symbolic link, the file that it leads to is written, and rotated where it is. An event is never split
 * over two files, and what a failed write left of one is cut off.
 */
export function createFileSink({ path, maxBytes, maxFiles, log }: FileSinkOptions): Sink {
  const turns = createTurns();
  let file: OpenFile | null = null;

  async function closeFile(): Promise<void> {
    const { handle } = file ?? {};
    file = null;
    await handle?.close().catch(() => undefined);
  }

  /** Gives the file that is under `path` now, and its size. */
  async function openCurrent(): Promise<OpenFile & { size: number }> {
    if (file) {
      const found = await stat(path).catch(orNull('ENOENT'));
      if (found && found.ino === file.inode && found.dev === file.device)
        return { ...file, size: found.size };
      log.info({ path }, 'the event file was moved away, starting a new one');
      await closeFile();
    }
    const target = await findTarget(path);
    const handle = await open(target, FLAGS, MODE);
    const {
      ino: inode,
      dev: device,
      size,
    } = await describe(handle).catch(async (error) => {
      // Node.js 26 ends the process over a handle that nobody has closed.
      await handle.close();
      throw error;
    });
    file = { handle, target, inode, device };
    return { ...file, size: size + (await endLine(handle, size)) };
  }

  async function rotate(target: string): Promise<void> {
    await closeFile();
    if (maxFiles === 1) return rm(target, { force: true });
    for (let age = maxFiles - 1; age > 0; age--) {
      await rename(age === 1 ? target : `${target}.${age - 1}`, `${target}.${age}`).catch(orNull('ENOENT'));
    }
  }

  /** Writes events from `position` on, as many as fit into the current file. Returns the position after them. */
  async function writeSome(batch: Batch, position: number): Promise<number> {
    const { handle, target, size } = await openCurrent();
    const end = fittingEnd(batch, position, maxBytes - size);
    if (end === position && size > 0) {
      await rotate(target);
      return position;
    }
    const next = Math.max(end, position + 1);
    await writeWhole(handle, batch.bytes.subarray(batch.offsets[position], batch.offsets[next]), size);
    return next;
  }

  async function writeBatch(batch: Batch): Promise<SendResult> {
    let position = 0;
    try {
      while (position < batch.count) position = await writeSome(batch, position);
      return ACKNOWLEDGED;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      await closeFile();
      const reason = explainFileFault(path, error);
      if (position === 0) return retryAll(reason);
      return {
        refused: [],
        retry: { events: rangeOf(position, batch.count), afterMs: null, reason },
      };
    }
  }

  async function openFirst(): Promise<Readiness> {
    try {
      await openCurrent();
      return DONE;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      return notReady(explainFileFault(path, error), hasErrorCode(error, ...MAY_PASS));
    }
  }

  return {
    name: 'file',
    open: () => turns.run(openFirst),
    send: (batch) => turns.run(() => writeBatch(batch)),
    async close() {
      await turns.idle();
      await file?.handle.sync().catch((error: Error) => log.warn({ path }, explainFileFault(path, error)));
      await closeFile();
    },
  };
}

async function describe(handle: FileHandle): Promise<Stats> {
  // A write to one that has been stopped (Ctrl-S) would never end.
  if (isatty(handle.fd)) throw notPlain('a terminal');
  return handle.stat();
}

/** The last event that fits into `room` bytes, plus one: `from` when not even the first does. */
function fittingEnd({ offsets, count }: Batch, from: number, room: number): number {
  const limit = (offsets[from] ?? 0) + room;
  if ((offsets[count] ?? 0) <= limit) return count;
  let end = from;
  while ((offsets[end + 1] ?? 0) <= limit) end++;
  return end;
}

/** Writes all bytes. Where that fails, the bytes that were written are cut off again. */
async function writeWhole(handle: FileHandle, bytes: Buffer, size: number): Promise<void> {
  let written = 0;
  try {
    while (written < bytes.length) {
      written += (await handle.write(bytes, written, bytes.length - written)).bytesWritten;
    }
  } catch (error) {
    // If this fails too, the incomplete line is ended when the file is opened again.
    if (written > 0) await handle.truncate(size).catch(() => undefined);
    throw error;
  }
}

/** Ends a line that a crash left incomplete, so that the next event starts a line. Returns the number of bytes added. */
async function endLine(handle: FileHandle, size: number): Promise<number> {
  if (size === 0) return 0;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  if (buffer[0] === NEWLINE) return 0;
  await handle.write('\n');
  return 1;
}
