/** Opens the spool of a configuration, on disk or in memory, with one reader for each sink. */
import { constants } from 'node:fs';
import type { Server } from 'node:net';
import { recover } from '../../ledger/booking.ts';
import type { SinkAccount } from '../../ledger/ledger.ts';
import { isSystemError } from '../../shared/errors.ts';
import { explainFault, startProblem } from './advice.ts';
import { listCursors, readCursor, removeCursor } from './disk/cursor.ts';
import type { SpoolFiles } from './disk/files.ts';
import type { SpoolMark } from './disk/frame.ts';
import { lockDirectory } from './disk/lock.ts';
import { pending } from './disk/segments.ts';
import { openStorage } from './disk/storage.ts';
import type { SpoolReader } from './reader.ts';
import { createSaver, type SaverOptions } from './saver.ts';
import { createSpool, type Spool } from './spool.ts';

export interface DiskSpoolOptions extends SaverOptions {
  readonly accounts: Readonly<Record<string, SinkAccount>>;
  readonly now: () => number;
}

export interface OpenSpool {
  readonly spool: Spool;
  readonly readers: ReadonlyMap<string, SpoolReader>;
  /** How far the kernel's records were dealt with when the last run ended; null where that is not known. */
  readonly mark: SpoolMark | null;
  /** Number of files; 0 in memory. */
  segments(): number;
  /** After the readers are closed: brings everything to the disk and lets go of the directory. */
  close(): Promise<void>;
}

export type OpenedSpool =
  | { readonly ok: true; readonly value: OpenSpool }
  | { readonly ok: false; readonly problem: string };

/** A spool has some sixteen files, each large enough for many batches and small enough to be given up whole. */
const SEGMENTS = 16;
const MIN_SEGMENT_BYTES = 65_536;
const MAX_SEGMENT_BYTES = 16 * 1024 * 1024;

/** Batches in memory only: they are lost with the process. */
export function openMemorySpool(
  accounts: Readonly<Record<string, SinkAccount>>,
  maxBytes: number,
  files: SpoolFiles,
): OpenSpool {
  const spool = createSpool(
    {
      storage: null,
      limits: { memoryBytes: maxBytes, maxBytes: 0, whenFull: 'block' },
      onFault() {},
      onRecovered() {},
      onChange() {},
      now: () => 0,
    },
    0,
  );
  const readers = new Map(
    Object.entries(accounts).map(([name, account]) => [
      name,
      spool.reader({ cursor: 0, account, files, onDamage() {} }),
    ]),
  );
  return { spool, readers, mark: null, segments: () => 0, async close() {} };
}

/** Why a directory cannot hold the spool, in one line that says what to do; null when it can. */
export function spoolDirectoryProblem(directory: string, files: SpoolFiles): string | null {
  try {
    if (!files.statSync(directory).isDirectory()) return startProblem(directory, 'ENOTDIR');
    files.accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return startProblem(directory, error.code ?? error.message);
  }
}

export async function openDiskSpool(options: DiskSpoolOptions): Promise<OpenedSpool> {
  const { directory, files } = options;
  const problem = spoolDirectoryProblem(directory, files);
  if (problem !== null) return { ok: false, problem };
  const lock = await lockDirectory(directory);
  if (lock === null) {
    const remedy = 'stop that one first, or give each its own spool.directory';
    return {
      ok: false,
      problem: `${directory} is in use by another agent, which delivers what is in it: ${remedy}`,
    };
  }
  try {
    const opened = openLocked(options, lock);
    if (!opened.ok) lock.close();
    return opened;
  } catch (error) {
    lock.close();
    if (!isSystemError(error)) throw error;
    return { ok: false, problem: startProblem(directory, error.code ?? error.message) };
  }
}

function openLocked(options: DiskSpoolOptions, lock: Server): OpenedSpool {
  const { directory, limits, fsyncIntervalMs, files, say } = options;
  const segmentBytes = Math.min(MAX_SEGMENT_BYTES, Math.max(MIN_SEGMENT_BYTES, limits.maxBytes / SEGMENTS));
  const opened = openStorage(directory, { segmentBytes, syncAlways: fsyncIntervalMs === 0, files });
  if (!opened.ok) return opened;
  const { storage, mark } = opened;

  const cursors = new Map<string, number>();
  const oldest = storage.segments[0]?.first ?? 0;
  for (const name of Object.keys(options.accounts)) {
    const found = readCursor(directory, name, files);
    if (found.kind === 'damaged')
      say.note(`${found.path} is damaged: sink ${name} begins with the oldest event kept, some come twice`);
    cursors.set(name, found.kind === 'found' ? found.ordinal : oldest);
  }
  for (const name of listCursors(directory, files)) {
    if (cursors.has(name)) continue;
    say.note(`sink ${name} is not configured any more: the spool forgets how far it had come`);
    removeCursor(directory, name, files);
  }
  // A cursor ahead of the files: what was cut off as torn had been delivered already.
  const firstOrdinal = Math.max(storage.segments.at(-1)?.end ?? 0, ...cursors.values());

  const saver = createSaver(options, storage, cursors, () => readers);
  const spool = createSpool(
    {
      storage,
      limits,
      onFault: (error) => say.fault(explainFault(directory, error, limits)),
      onRecovered: say.recovered,
      onChange: saver.changed,
      now: options.now,
    },
    firstOrdinal,
  );
  const readers: ReadonlyMap<string, SpoolReader> = new Map(
    Object.entries(options.accounts).map(([name, account]) => {
      const cursor = cursors.get(name) ?? firstOrdinal;
      recover(account, pending(storage.segments, cursor));
      return [name, spool.reader({ cursor, account, files, onDamage: say.damage })];
    }),
  );
  // A killed agent may have left files that are settled.
  spool.release();
  return {
    ok: true,
    value: {
      spool,
      readers,
      mark,
      segments: () => storage.segments.length,
      async close() {
        storage.seal();
        spool.release();
        await saver.close();
        lock.close();
      },
    },
  };
}
