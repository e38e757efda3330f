/** Saves to the disk, at intervals, the events in the spool and how far each sink has come. */
import { isSystemError } from '../../shared/errors.ts';
import { explainFault, type SpoolVoice } from './advice.ts';
import { writeCursor } from './disk/cursor.ts';
import { DIRECTORY_MODE, type SpoolFiles } from './disk/files.ts';
import type { Storage } from './disk/storage.ts';
import type { SpoolReader } from './reader.ts';
import type { SpoolLimits } from './spool.ts';

/** How often cursors are saved at most: each costs two writes to the disk. */
const MIN_SAVE_MS = 100;

/** After a fault. */
const RETRY_MS = 1_000;

export interface SaverOptions {
  readonly directory: string;
  readonly limits: SpoolLimits;
  /** Appended events are on the disk after this long at the latest; 0 is at once. */
  readonly fsyncIntervalMs: number;
  readonly files: SpoolFiles;
  readonly say: SpoolVoice;
}

export interface Saver {
  changed(): void;
  close(): Promise<void>;
}

/** Brings events and then cursors to the disk, all that has come together in one interval at once. */
export function createSaver(
  { directory, files, fsyncIntervalMs, limits, say }: SaverOptions,
  storage: Storage,
  saved: Map<string, number>,
  readers: () => ReadonlyMap<string, SpoolReader>,
): Saver {
  const intervalMs = Math.max(fsyncIntervalMs, MIN_SAVE_MS);
  let timer: NodeJS.Timeout | null = null;
  let saving: Promise<void> | null = null;
  let isClosed = false;
  /** After how long to save again, once what is under way is done; null is not at all. */
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
    for (const [name, reader] of readers()) {
      const { cursor } = reader;
      if (saved.get(name) === cursor) continue;
      const found = await writeCursor(directory, name, cursor, files);
      if (found === null) saved.set(name, cursor);
      fault = found ?? fault;
    }
    if (fault === null) return;
    say.fault(explainFault(directory, fault, limits));
    if (fault.code === 'ENOENT') replaceDirectory();
    schedule(RETRY_MS);
  }

  /** Somebody has removed it: what is written from now on goes to a new one, as far as we may make it. */
  function replaceDirectory(): void {
    storage.seal();
    try {
      files.mkdirSync(directory, { mode: DIRECTORY_MODE });
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
  }

  return {
    changed: () => schedule(intervalMs),
    async close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      await saving;
      await save();
      await storage.close();
    },
  };
}
