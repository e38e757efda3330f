/** Writes the cursor of each sink at once, and forces events and cursors to the disk at intervals. */
import { explainFault, type SpoolReporter } from './advice.ts';
import { listCursors, syncCursor, writeCursor } from './disk/cursor.ts';
import { DIRECTORY_MODE, ignoreFault, type SpoolFiles } from './disk/files.ts';
import type { Storage } from './disk/storage.ts';
import type { SpoolReader } from './reader.ts';
import type { SpoolLimits } from './room.ts';

/** The shortest interval between two saves: each cursor costs a write to the disk. */
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
  /** Events were appended or settled. */
  noteChange(): void;
  /** Saves a last time, and closes the storage. */
  close(): Promise<void>;
}

/**
 * Writes a cursor when it has moved, so that an agent that is killed repeats no more than what was in flight. Forces events
 * and then cursors to the disk, everything that has come together in one interval at once. `written` has the cursors that
 * the files have already.
 */
export function createSaver(
  { directory, files, fsyncIntervalMs, limits, report }: SaverOptions,
  storage: Storage,
  written: Map<string, number>,
  readers: ReadonlyMap<string, SpoolReader>,
): Saver {
  const intervalMs = Math.max(fsyncIntervalMs, MIN_SAVE_MS);
  /** Sinks whose cursor was written, perhaps by an agent that was killed, and not forced to the disk yet. */
  const unsynced = new Set(listCursors(directory, files));
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

  /** Gives the last error of the system, or null. What failed is tried again the next time. */
  function writeCursors(): NodeJS.ErrnoException | null {
    let fault: NodeJS.ErrnoException | null = null;
    for (const [name, { cursor }] of readers) {
      if (written.get(name) === cursor) continue;
      const found = writeCursor(directory, name, cursor, files);
      fault = found ?? fault;
      if (found !== null) continue;
      written.set(name, cursor);
      unsynced.add(name);
    }
    return fault;
  }

  async function syncCursors(): Promise<NodeJS.ErrnoException | null> {
    let fault: NodeJS.ErrnoException | null = null;
    let isMissing = false;
    for (const name of [...unsynced]) {
      // What is written from now on is for the next time.
      unsynced.delete(name);
      const found = await syncCursor(directory, name, files);
      if (found === null) continue;
      if (found.code === 'ENOENT') {
        // Somebody has removed it: it is made again, now, since nothing else may ever settle.
        written.delete(name);
        isMissing = true;
        continue;
      }
      unsynced.add(name);
      fault = found;
    }
    return (isMissing ? writeCursors() : null) ?? fault;
  }

  async function save(): Promise<void> {
    const events = await storage.sync();
    const cursors = writeCursors();
    const fault = (await syncCursors()) ?? cursors ?? events;
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
    noteChange() {
      const fault = writeCursors();
      if (fault !== null) report.fault(explainFault(directory, fault, limits));
      schedule(intervalMs);
    },
    async close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      await saving;
      await save();
      await storage.close();
    },
  };
}
