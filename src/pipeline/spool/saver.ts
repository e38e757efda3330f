/** Forces the events in the spool to the disk at intervals, and saves the cursor of each sink. */
import { explainFault, type SpoolReporter } from './advice.ts';
import { writeCursor } from './disk/cursor.ts';
import { DIRECTORY_MODE, ignoreFault, type SpoolFiles } from './disk/files.ts';
import type { Storage } from './disk/storage.ts';
import type { SpoolReader } from './reader.ts';
import type { SpoolLimits } from './room.ts';

/** The shortest interval between two saves: each cursor costs two writes to the disk. */
const MIN_SAVE_MS = 100;

/** Until the next save after a fault. */
const RETRY_MS = 1_000;

export interface SaverOptions {
  readonly directory: string;
  readonly limits: SpoolLimits;
  /** Appended events are on the disk after so many milliseconds at the latest; 0 is at once. */
  readonly fsyncIntervalMs: number;
  readonly files: SpoolFiles;
  readonly report: SpoolReporter;
}

/** Saves in the background. */
export interface Saver {
  /** There is something to save. */
  noteChange(): void;
  /** Saves a last time, and closes the storage. */
  close(): Promise<void>;
}

/**
 * Forces events and then cursors to the disk, everything that has come together in one interval at once. `saved` has
 * the cursors that are on the disk already.
 */
export function createSaver(
  { directory, files, fsyncIntervalMs, limits, report }: SaverOptions,
  storage: Storage,
  saved: Map<string, number>,
  readers: ReadonlyMap<string, SpoolReader>,
): Saver {
  const intervalMs = Math.max(fsyncIntervalMs, MIN_SAVE_MS);
  let timer: NodeJS.Timeout | null = null;
  let saving: Promise<void> | null = null;
  let isClosed = false;
  /** Milliseconds until the save that follows the one under way; null where none is wanted. */
  let next: number | null = null;

  function schedule(milliseconds: number): void {
    next = milliseconds;
    if (isClosed || saving !== null) return;
    timer ??= setTimeout(run, milliseconds);
  }

  function run(): void {
    timer = null;
    next = null;
    saving = save().finally(() => {
      saving = null;
      if (next !== null) schedule(next);
    });
  }

  async function save(): Promise<void> {
    let fault = await storage.sync();
    for (const [name, reader] of readers) {
      const { cursor } = reader;
      if (saved.get(name) === cursor) continue;
      const found = await writeCursor(directory, name, cursor, files);
      if (found === null) saved.set(name, cursor);
      fault = found ?? fault;
    }
    if (fault === null) return;
    report.fault(explainFault(directory, fault, limits));
    if (fault.code === 'ENOENT') replaceDirectory();
    schedule(RETRY_MS);
  }

  /** The directory was removed: what is written from now on goes to a new one, if the agent may make it. */
  function replaceDirectory(): void {
    storage.seal();
    ignoreFault(() => files.mkdirSync(directory, { mode: DIRECTORY_MODE }));
  }

  return {
    noteChange: () => schedule(intervalMs),
    async close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      await saving;
      await save();
      await storage.close();
    },
  };
}
