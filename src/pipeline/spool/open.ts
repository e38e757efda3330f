/** Opens the spool of a configuration, on disk or in memory, with one reader for each sink. */
import { constants } from 'node:fs';
import type { Server } from 'node:net';
import { recover } from '../../ledger/booking.ts';
import type { SinkAccount } from '../../ledger/ledger.ts';
import { isSystemError } from '../../shared/errors.ts';
import { DONE, type Result, refusal, success } from '../../shared/result.ts';
import { explainFault, startProblem } from './advice.ts';
import { listCursors, readCursor, removeCursor } from './disk/cursor.ts';
import type { SpoolFiles } from './disk/files.ts';
import type { SpoolMark } from './disk/frame.ts';
import { lockSpool } from './disk/lock.ts';
import { pending } from './disk/segments.ts';
import { openStorage, type Storage } from './disk/storage.ts';
import type { SpoolReader } from './reader.ts';
import { createSaver, type SaverOptions } from './saver.ts';
import { createSpool, type Spool } from './spool.ts';

export interface DiskSpoolOptions extends SaverOptions {
  /** One for each sink, by its name. */
  readonly accounts: Readonly<Record<string, SinkAccount>>;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
}

/** A spool with its readers. */
export interface OpenSpool {
  readonly spool: Spool;
  /** One for each sink, by its name. */
  readonly readers: ReadonlyMap<string, SpoolReader>;
  /**
   * Up to which of the kernel's records all events were spooled when the last run ended; null where that is not known.
   */
  readonly mark: SpoolMark | null;
  /** Number of files; 0 in memory. */
  segments(): number;
  /** After the readers are closed: forces everything to the disk and unlocks the directory. */
  close(): Promise<void>;
}

/** A spool has about sixteen files, each large enough for many batches and small enough to be dropped as a whole. */
const SEGMENTS = 16;
const MIN_SEGMENT_BYTES = 65_536;
const MAX_SEGMENT_BYTES = 16 * 1024 * 1024;

/** A spool in memory: its batches, at most `maxBytes`, are lost with the process. */
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

/** Whether the spool can use a directory; the problem is one line that says what to do. */
export function checkSpoolDirectory(directory: string, files: SpoolFiles): Result {
  try {
    if (!files.statSync(directory).isDirectory()) return refusal(startProblem(directory, 'ENOTDIR'));
    files.accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    return DONE;
  } catch (error) {
    return refuseDirectory(directory, error);
  }
}

function refuseDirectory(directory: string, error: unknown): ReturnType<typeof refusal> {
  if (!isSystemError(error)) throw error;
  return refusal(startProblem(directory, error.code ?? error.message));
}

/** Opens and locks a spool's directory; the problem is one line that says what to do. */
export async function openDiskSpool(options: DiskSpoolOptions): Promise<Result<OpenSpool>> {
  const { directory, files } = options;
  const checked = checkSpoolDirectory(directory, files);
  if (!checked.ok) return checked;
  const lock = await lockSpool(directory);
  if (lock === null) {
    const remedy = 'stop that one first, or give each its own spool.directory';
    return refusal(`${directory} is in use by another agent, which delivers what is in it: ${remedy}`);
  }
  try {
    const opened = openLocked(options, lock);
    if (!opened.ok) lock.close();
    return opened;
  } catch (error) {
    lock.close();
    return refuseDirectory(directory, error);
  }
}

function openLocked(options: DiskSpoolOptions, lock: Server): Result<OpenSpool> {
  const { directory, limits, fsyncIntervalMs, files, report } = options;
  const segmentBytes = Math.min(MAX_SEGMENT_BYTES, Math.max(MIN_SEGMENT_BYTES, limits.maxBytes / SEGMENTS));
  const opened = openStorage(directory, { segmentBytes, syncAlways: fsyncIntervalMs === 0, files });
  if (!opened.ok) return opened;
  const { storage, mark } = opened.value;
  const cursors = openCursors(options, storage);
  // A cursor may be ahead of the files: what was cut off as torn had been delivered already.
  const firstOrdinal = Math.max(storage.segments.at(-1)?.end ?? 0, ...cursors.values());
  const readers = new Map<string, SpoolReader>();
  const saver = createSaver(options, storage, cursors, readers);
  const spool = createSpool(
    {
      storage,
      limits,
      onFault: (error) => report.fault(explainFault(directory, error, limits)),
      onRecovered: report.recovered,
      onChange: saver.noteChange,
      now: options.now,
    },
    firstOrdinal,
  );
  for (const [name, account] of Object.entries(options.accounts)) {
    const cursor = cursors.get(name) ?? firstOrdinal;
    recover(account, pending(storage.segments, cursor));
    readers.set(name, spool.reader({ cursor, account, files, onDamage: report.damage }));
  }
  // An agent that was killed may have left files whose events are all settled.
  spool.release();
  return success({
    spool,
    readers,
    mark,
    segments: () => storage.segments.length,
    async close() {
      storage.seal();
      spool.releaseAll();
      await saver.close();
      lock.close();
    },
  });
}

/** The cursor of each sink, found or new. Removes damaged ones, and those of sinks that are no longer configured. */
function openCursors(options: DiskSpoolOptions, storage: Storage): Map<string, number> {
  const { directory, files, report } = options;
  const cursors = new Map<string, number>();
  const oldest = storage.segments[0]?.first ?? 0;
  for (const name of Object.keys(options.accounts)) {
    const found = readCursor(directory, name, files);
    if (found.kind === 'damaged') {
      report.note(
        `${found.path} is damaged: sink ${name} begins with the oldest event kept, some come twice`,
      );
      removeCursor(directory, name, files);
    }
    cursors.set(name, found.kind === 'found' ? found.ordinal : oldest);
  }
  for (const name of listCursors(directory, files)) {
    if (cursors.has(name)) continue;
    report.note(`sink ${name} is not configured any more: the spool forgets how far it had come`);
    removeCursor(directory, name, files);
  }
  return cursors;
}
