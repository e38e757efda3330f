/** Merges the pages of all CPUs into one stream of records, in the order of time. */
import type { Epoch } from './clock.ts';
import type { PageFormat } from './decode/format.ts';
import { createCursor, missedBefore, nextRecord, openPage, type PageCursor } from './decode/page.ts';
import type { RecordReader } from './decode/reader.ts';
import { createRecord } from './decode/record.ts';
import type { TaskEventReader, TaskFollower } from './decode/task-events.ts';
import type { RecordFilter } from './filter/evaluate.ts';
import type { RecordHandler } from './source.ts';

interface Stream {
  readonly cpu: number;
  readonly cursor: PageCursor;
  readonly pages: Buffer[];
  /** The cursor is at a record that was not given yet. */
  pending: boolean;
  /** The kernel may hold more records of this CPU, so no record later than the last one of this CPU may be given. */
  unfinished: boolean;
}

export interface Streams {
  /** Queues a page. It belongs to the streams until they call `release`. */
  push(cpu: number, page: Buffer): void;
  setUnfinished(cpu: number, unfinished: boolean): void;
  /** Pages of this CPU of which no record was given yet. */
  queued(cpu: number): number;
  /**
   * Gives every record with a time up to the watermark, in order; Infinity gives all records. Returns the time up to which
   * every record was given: earlier than the watermark if a CPU is unfinished.
   */
  give(watermark: number, handler: RecordHandler): number;
  /** Records that were given, or skipped because no chosen probe made them. */
  readonly given: number;
  /** Every record of every pushed page was given. */
  readonly isEmpty: boolean;
}

/** What hears of the records of tasks, between those of connections. */
export interface StreamTasks extends TaskFollower {
  /** Records were lost: some of them may have told of tasks. */
  lost(): void;
}

export interface StreamsOptions {
  readonly cpus: number;
  readonly epoch: Epoch;
  readonly pageFormat: PageFormat;
  /** By `common_type`. */
  readonly readers: ReadonlyMap<number, RecordReader>;
  /** The filters that are decided here, by `common_type`. */
  readonly filters: ReadonlyMap<number, RecordFilter>;
  /** The same for records of tasks; empty if none are recorded. */
  readonly taskReaders: ReadonlyMap<number, TaskEventReader>;
  readonly tasks: StreamTasks;
  /** Takes back each page after its last record. */
  readonly release: (page: Buffer) => void;
}

/** `struct trace_entry` (include/linux/trace_events.h): type, flags, preempt count, pid. */
const COMMON_BYTES = 8;
const NO_PAGE = Buffer.alloc(0);

export function createStreams(options: StreamsOptions): Streams {
  const { pageFormat, release, tasks, taskReaders } = options;
  // An array by type: a Map lookup per record would be the second most expensive step of decoding.
  const readers: (RecordReader | undefined)[] = [];
  for (const [type, reader] of options.readers) readers[type] = reader;
  const filters: (RecordFilter | undefined)[] = [];
  for (const [type, filter] of options.filters) filters[type] = filter;
  const streams: Stream[] = Array.from({ length: options.cpus }, (_, cpu) => ({
    cpu,
    cursor: createCursor(options.epoch),
    pages: [],
    pending: false,
    unfinished: false,
  }));
  const record = createRecord();
  let given = 0;

  /** Moves to the stream's next record, which may be on a later page. */
  function step(stream: Stream, handler: RecordHandler): void {
    while (!nextRecord(stream.cursor)) {
      if (stream.cursor.malformed) {
        handler.malformedPage();
        stream.cursor.malformed = false;
      }
      if (stream.cursor.bytes.length > 0) release(stream.cursor.bytes);
      const page = stream.pages.shift();
      if (page === undefined) {
        stream.cursor.bytes = NO_PAGE;
        stream.cursor.end = 0;
        stream.cursor.position = 0;
        stream.pending = false;
        return;
      }
      openPage(stream.cursor, pageFormat, page);
      if (missedBefore(pageFormat, page) !== 0) tasks.lost();
    }
    stream.pending = true;
  }

  function giveOne(stream: Stream, handler: RecordHandler): void {
    const { cursor } = stream;
    const { bytes, record: at, length } = cursor;
    given++;
    if (length < COMMON_BYTES) return handler.malformedRecord();
    const type = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
    const read = readers[type];
    if (read === undefined) return giveTask(type, cursor, handler);
    record.time = cursor.time;
    record.cpu = stream.cpu;
    if (!read(record, bytes, at, length)) return handler.malformedRecord();
    const filter = filters[type];
    if (filter === undefined || filter(bytes, at, stream.cpu)) handler.record(record);
    else handler.filteredRecord('probe_filter');
  }

  function giveTask(
    type: number,
    { bytes, record: at, length, time }: PageCursor,
    handler: RecordHandler,
  ): void {
    const read = taskReaders.get(type);
    // No chosen event made this record. For example, it is a note in trace_marker.
    if (read === undefined) return;
    if (read(tasks, bytes, at, length, time)) handler.filteredRecord('task');
    else handler.malformedRecord();
  }

  return {
    push(cpu, page) {
      streams[cpu]?.pages.push(page);
    },
    get given() {
      return given;
    },
    get isEmpty() {
      return streams.every(({ pending, pages }) => !pending && pages.length === 0);
    },
    setUnfinished(cpu, unfinished) {
      const stream = streams[cpu];
      if (stream !== undefined) stream.unfinished = unfinished;
    },
    queued: (cpu) => streams[cpu]?.pages.length ?? 0,
    give(watermark, handler) {
      // Where no records tell of tasks, what is known of them holds no longer than one slice.
      if (taskReaders.size === 0) tasks.lost();
      // No page comes meanwhile, and a kernel may be prepared for far more CPUs than have records.
      const open = streams.filter(
        ({ pending, pages, unfinished }) => pending || unfinished || pages.length > 0,
      );
      for (;;) {
        // The earliest stream gives until the second earliest is due: one scan of the CPUs per run of records.
        let first: Stream | null = null;
        let reach = watermark;
        let limit = Number.POSITIVE_INFINITY;
        for (const stream of open) {
          if (!stream.pending) step(stream, handler);
          if (!stream.pending) {
            const isUnfinished = stream.unfinished && watermark !== Number.POSITIVE_INFINITY;
            if (isUnfinished) reach = Math.min(reach, stream.cursor.time);
            continue;
          }
          const { time } = stream.cursor;
          if (first === null) {
            first = stream;
          } else if (time < first.cursor.time) {
            limit = Math.min(limit, first.cursor.time);
            first = stream;
          } else {
            limit = Math.min(limit, time);
          }
        }
        if (first === null || first.cursor.time > reach) return reach;
        limit = Math.min(limit, reach);
        do {
          giveOne(first, handler);
          step(first, handler);
        } while (first.pending && first.cursor.time <= limit);
      }
    },
  };
}
