/** Opens the spool of a configuration, on disk or in memory, with one reader for each sink. */
import { constants } from 'node:fs';
import type { Server } from 'node:net';
import type { SinkAccount } from '../../ledger/ledger.ts';
import { listCursors, readCursor, removeCursor, writeCursor } from './disk/cursor.ts';
import { DIRECTORY_MODE, isSystemError, type SpoolFiles } from './disk/files.ts';
import type { SpoolMark } from './disk/frame.ts';
import { lockDirectory } from './disk/lock.ts';
import type { Segment } from './disk/segments.ts';
import { openStorage, type Storage } from './disk/storage.ts';
import type { SpoolReader } from './reader.ts';
import { createSpool, type Spool, type SpoolLimits } from './spool.ts';

export interface DiskSpoolOptions {
  readonly directory: string;
  readonly limits: SpoolLimits;
  /** What was appended is on the disk after this long at the latest; 0 is at once. */
  readonly fsyncIntervalMs: number;
  readonly accounts: Readonly<Record<string, SinkAccount>>;
  readonly files: SpoolFiles;
  readonly now: () => number;
  readonly say: SpoolVoice;
}

/** What the spool has to tell an operator. */
export interface SpoolVoice {
  /** The disk does not take what it should; may come very often. */
  fault(problem: string): void;
  recovered(): void;
  /** Events are lost. */
  damage(problem: string, events: number): void;
  note(message: string): void;
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
/** How often cursors are saved at most: each costs two writes to the disk. */
const MIN_SAVE_MS = 100;
/** After a fault. */
const RETRY_MS = 1_000;

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
      account.recovered = pending(storage.segments, cursor);
      account.spooled = account.recovered;
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

/** The events from a cursor on that are in files. */
export function pending(segments: readonly Pick<Segment, 'first' | 'end'>[], cursor: number): number {
  return segments.reduce((sum, { first, end }) => sum + Math.max(0, end - Math.max(first, cursor)), 0);
}

interface Saver {
  changed(): void;
  close(): Promise<void>;
}

/** Brings events and then cursors to the disk, all that has come together in one interval at once. */
function createSaver(
  { directory, files, fsyncIntervalMs, limits, say }: DiskSpoolOptions,
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

const START_ADVICE: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist; make it: install -d -m 0700 DIRECTORY, owned by the user of the agent',
  ENOTDIR: 'it is no directory; name one',
  EACCES: 'permission denied; let the user of the agent read and write it',
  EPERM: 'not permitted; let the user of the agent read and write it',
  EROFS: 'its file system is read-only; name another directory',
  ENOSPC: 'the disk is full; free space',
};

function startProblem(directory: string, code: string): string {
  const advice = (START_ADVICE[code] ?? code).replace('DIRECTORY', directory);
  return `cannot use the spool directory ${directory}: ${advice}, or set spool.enabled to false and lose on a crash what is not delivered`;
}

const FAULT_ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only now',
  ENOENT: 'the directory was removed',
  EIO: "the disk reports an input/output error; see the kernel's log",
  EMFILE: 'too many open files in this process; raise its limit (LimitNOFILE)',
  ENFILE: 'too many open files on this host',
};

const POLICY_WORDS = {
  block: 'then reading pauses',
  drop_oldest: 'then the newest are dropped and counted',
  drop_newest: 'then the newest are dropped and counted',
} as const;

function explainFault(
  directory: string,
  error: NodeJS.ErrnoException,
  { memoryBytes, whenFull }: SpoolLimits,
): string {
  const what = FAULT_ADVICE[error.code ?? ''] ?? error.message;
  return `cannot write to the spool ${directory}: ${what}; events wait in memory, up to ${memoryBytes} bytes, ${POLICY_WORDS[whenFull]}`;
}
