/** The host on which a spool lives: its disk, its clock, and one process after the other that uses the spool. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import { type CrashDisk, createCrashDisk, type HostCrash } from './crash-disk.ts';
import { openFixture, type SpoolFixture } from './fixture.ts';
import { type Life, SINKS } from './life.ts';

export interface Host {
  readonly disk: CrashDisk;
  /** The spool of the process that runs now. */
  readonly fixture: SpoolFixture;
  passTime(): void;
  /** Lets the spool save what it has to. */
  save(): Promise<void>;
  /** The process ends in order; the next one is started as after a kill. */
  close(): Promise<void>;
  /** A process ends at once, or during a save when so many changes of the disk are done. Returns its disk after that. */
  kill(during: number | null): Promise<CrashDisk>;
  /** The host crashes, in the same way. */
  crash(during: number | null, how: HostCrash): Promise<CrashDisk>;
  /** The next process begins, some time later, with what is on this disk. */
  start(next: CrashDisk): Promise<void>;
  /** Closes the spools of all processes. */
  closeAll(): Promise<void>;
}

const MEMORY_BYTES = 50_000;
const MAX_BYTES = 300_000;
const SAVE_INTERVAL_MS = 60_000;
const PAUSE_MS = 10_000;

/** `root` gets a directory for each process. */
export async function startHost(root: string, { whenFull, fsyncIntervalMs }: Life): Promise<Host> {
  let directories = 0;
  let timeMs = 0;
  const fixtures: SpoolFixture[] = [];
  let disk = createCrashDisk(nextDirectory());
  let fixture = await open();

  function nextDirectory(): string {
    const directory = join(root, String(directories++));
    mkdirSync(directory);
    return directory;
  }

  async function open(): Promise<SpoolFixture> {
    const opened = await openFixture(disk.directory, {
      sinks: SINKS,
      memoryBytes: MEMORY_BYTES,
      maxBytes: MAX_BYTES,
      whenFull,
      fsyncIntervalMs,
      files: disk.files,
      now: () => timeMs,
    });
    fixtures.push(opened);
    return opened;
  }

  async function save(): Promise<void> {
    vi.advanceTimersByTime(SAVE_INTERVAL_MS);
    await disk.idle();
  }

  async function end(during: number | null, take: (directory: string) => CrashDisk): Promise<CrashDisk> {
    let next: CrashDisk | null = null;
    const now = () => {
      next = take(nextDirectory());
    };
    if (during !== null) {
      disk.interrupt(during, now);
      await save();
    }
    if (next === null) now();
    return next ?? disk;
  }

  return {
    get disk() {
      return disk;
    },
    get fixture() {
      return fixture;
    },
    passTime() {
      timeMs += PAUSE_MS;
    },
    save,
    close: () => fixture.close(),
    kill: (during) => end(during, (directory) => disk.kill(directory)),
    crash: (during, how) => end(during, (directory) => disk.crash(directory, how)),
    async start(next) {
      disk = next;
      timeMs += PAUSE_MS;
      fixture = await open();
    },
    async closeAll() {
      for (const one of fixtures) await one.close();
    },
  };
}
