/** Reads a live instance in slices: some pages of every CPU, whose records are then given in the order of time. */
import type { TraceClock } from './clock.ts';
import { MISSED_UNKNOWN, missedBefore } from './decode/page.ts';
import type { BufferCpus } from './ftrace/cpus.ts';
import type { Instance } from './ftrace/instance.ts';
import { createPagePool } from './ftrace/page-pool.ts';
import { openRing } from './ftrace/ring.ts';
import type { StatsFiles } from './ftrace/stats.ts';
import { createStreams, type Streams, type StreamsOptions } from './merge.ts';
import type { RecordingWriter } from './recording/recording.ts';
import type { RecordHandler } from './source.ts';

/**
 * Pages per slice, all CPUs together, so that acknowledgements and back-pressure are handled between slices. These are
 * some 1,700 records, and a slice can exceed the free space of the pipeline by so many. All of them are lost if this
 * process is killed meanwhile.
 */
const MOST_PAGES = 32;
/** So a slice has fewer pages while the process is slow: at its start, when V8 has compiled nothing yet, and on a busy host. */
const FEWEST_PAGES = 4;
const SLICE_MS = 5;
/**
 * A record is visible to the reader a moment after its time was taken. Younger records wait for the next read, so that
 * a record that another CPU is just writing does not come too late.
 */
const SETTLE_NS = 200_000;

export interface SliceOptions extends Omit<StreamsOptions, 'cpus' | 'epoch' | 'release'> {
  readonly instance: Instance;
  readonly cpus: BufferCpus;
  /** The size of each CPU's buffer. */
  readonly bufferKb: number;
  readonly clock: TraceClock;
  readonly stats: StatsFiles;
  readonly recording: RecordingWriter | undefined;
}

export interface Slices {
  /**
   * Reads the first pages of a taken-over instance, and gives the number of records that were overwritten while no agent
   * read it. To be called once, just before the first slice.
   */
  takeOver(): number;
  /** Reads a slice and gives its records. True if the kernel may hold more. */
  read(handler: RecordHandler): boolean;
  /** Gives every record that was read and not given yet, however young. */
  giveRest(handler: RecordHandler): void;
  /** Pages that were read so far. */
  readonly pages: number;
  readonly streams: Pick<Streams, 'given' | 'isEmpty'>;
  /** Calls `onReady` once, when there are records, which stay in the kernel; false if this process cannot wait. */
  wait(onReady: () => void): boolean;
  /** How full the fullest buffer is, 0 to 1. */
  fill(): number;
  close(): Promise<void>;
}

/** Opens the ring buffers. Throws the error of open(2). */
export function openSlices(options: SliceOptions): Slices {
  const { instance, cpus, bufferKb, clock, stats, pageFormat, recording } = options;
  const pool = createPagePool(pageFormat.data.offset + pageFormat.data.size);
  const streams = createStreams({
    ...options,
    cpus: cpus.possible,
    epoch: clock.epoch,
    release: pool.release,
  });
  let pages = 0;
  let missedWhileDown = 0;
  let isTakingOver = false;
  let pagesPerSlice = FEWEST_PAGES;
  const ring = openRing(instance, cpus.possible, pool, (cpu, page) => {
    pages++;
    if (isTakingOver) missedWhileDown += countMissed(cpu, page);
    recording?.page(cpu, page);
    streams.push(cpu, page);
  });
  /** Records lost before a page. */
  function countMissed(cpu: number, page: Buffer): number {
    const missed = missedBefore(pageFormat, page);
    // If the page had no space for the count, the nearest number is all records that this CPU ever overwrote.
    return missed === MISSED_UNKNOWN ? (stats.read(cpu)?.overrun ?? 0) : missed;
  }

  function give(handler: RecordHandler, watermark: number, more: boolean): void {
    recording?.clock(clock);
    const given = streams.give(watermark, handler);
    recording?.give(given);
    handler.advance(given, more);
  }

  return {
    takeOver() {
      isTakingOver = true;
      // The page that the last reader was on has no mark. The page after it has one (`rb_get_reader_page`).
      for (const cpu of cpus.present()) ring.read(cpu, 2);
      isTakingOver = false;
      return missedWhileDown;
    },
    read(handler) {
      const began = performance.now();
      const watermark = clock.follow() - SETTLE_NS;
      const present = cpus.present();
      const pagesPerCpu = Math.max(2, Math.floor(pagesPerSlice / present.length));
      let more = false;
      for (const cpu of present) {
        // A CPU with few records is ahead of the others: its pages wait here until theirs are given.
        const isUnfinished = ring.read(cpu, pagesPerCpu - streams.queued(cpu));
        streams.setUnfinished(cpu, isUnfinished);
        more ||= isUnfinished;
      }
      give(handler, watermark, more);
      const isSlow = performance.now() - began > SLICE_MS;
      pagesPerSlice = isSlow
        ? Math.max(FEWEST_PAGES, pagesPerSlice >> 1)
        : Math.min(MOST_PAGES, pagesPerSlice * 2);
      return more;
    },
    giveRest: (handler) => give(handler, Number.POSITIVE_INFINITY, false),
    get pages() {
      return pages;
    },
    streams,
    wait: ring.wait,
    fill() {
      const unread = cpus.present().map((cpu) => stats.read(cpu)?.bytes ?? 0);
      return Math.max(...unread) / (bufferKb * 1024);
    },
    close: ring.close,
  };
}
