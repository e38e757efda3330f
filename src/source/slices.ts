/** Reads a live instance in slices: some pages of every CPU, whose records are then given in the order of time. */
import type { TraceClock } from './clock.ts';
import { MISSED_UNKNOWN, missedBefore } from './decode/page.ts';
import type { Instance } from './ftrace/instance.ts';
import { createPagePool } from './ftrace/page-pool.ts';
import { openRing, type Ring } from './ftrace/ring.ts';
import type { StatsFiles } from './ftrace/stats.ts';
import { createStreams, type Streams, type StreamsOptions } from './merge.ts';
import type { RecordingWriter } from './recording/recording.ts';
import type { RecordHandler } from './source.ts';

/**
 * Pages per slice, all CPUs together, so that acknowledgements and back-pressure are handled between slices. These are
 * some 1,700 records, and a slice can exceed the free space of the pipeline by so many.
 */
const PAGES_PER_SLICE = 32;
/**
 * A record is visible to the reader a moment after its time was taken. Younger records wait for the next read, so that
 * a record that another CPU is just writing does not come too late.
 */
const SETTLE_NS = 200_000;

export interface SliceOptions extends Omit<StreamsOptions, 'epoch' | 'release'> {
  readonly instance: Instance;
  readonly clock: TraceClock;
  readonly stats: StatsFiles;
  readonly recording: RecordingWriter | undefined;
}

export interface Slices {
  /** Reads a slice and gives its records. True if the kernel may hold more. */
  read(handler: RecordHandler): boolean;
  /** Gives every record that was read and not given yet, however young. */
  giveRest(handler: RecordHandler): void;
  /** Pages that were read so far. */
  readonly pages: number;
  /** Records that were overwritten while no agent read a taken-over instance. */
  readonly missedWhileDown: number;
  readonly streams: Pick<Streams, 'given' | 'isEmpty'>;
  readonly wait: Ring['wait'];
  close(): Promise<void>;
}

/** Opens the ring buffers, and reads the first pages of a taken-over instance. Throws the error of open(2). */
export function openSlices(options: SliceOptions): Slices {
  const { instance, cpus, clock, stats, pageFormat, recording } = options;
  const pagesPerCpu = Math.max(2, Math.floor(PAGES_PER_SLICE / cpus));
  const pool = createPagePool(pageFormat.data.offset + pageFormat.data.size);
  const streams = createStreams({ ...options, epoch: clock.epoch, release: pool.release });
  let pages = 0;
  let missedWhileDown = 0;
  let isTakingOver = instance.takenOver;
  const ring = openRing(instance, cpus, pool, (cpu, page) => {
    pages++;
    if (isTakingOver) missedWhileDown += countMissed(cpu, page);
    recording?.page(cpu, page);
    streams.push(cpu, page);
  });
  if (isTakingOver) {
    // The page that the last reader was on has no mark. The page after it has one (`rb_get_reader_page`).
    for (let cpu = 0; cpu < cpus; cpu++) ring.read(cpu, 2);
    isTakingOver = false;
  }

  /** Records lost before a page. */
  function countMissed(cpu: number, page: Buffer): number {
    const missed = missedBefore(pageFormat, page);
    // If the page had no space for the count, the nearest number is all records that this CPU ever overwrote.
    return missed === MISSED_UNKNOWN ? (stats.read(cpu)?.overrun ?? 0) : missed;
  }

  function give(handler: RecordHandler, watermark: number): void {
    recording?.clock(clock);
    const given = streams.give(watermark, handler);
    recording?.give(given);
    handler.advance(given);
  }

  return {
    read(handler) {
      const watermark = clock.follow() - SETTLE_NS;
      let more = false;
      for (let cpu = 0; cpu < cpus; cpu++) {
        const isUnfinished = ring.read(cpu, pagesPerCpu);
        streams.setUnfinished(cpu, isUnfinished);
        more ||= isUnfinished;
      }
      give(handler, watermark);
      return more;
    },
    giveRest: (handler) => give(handler, Number.POSITIVE_INFINITY),
    get pages() {
      return pages;
    },
    missedWhileDown,
    streams,
    wait: ring.wait,
    close: ring.close,
  };
}
