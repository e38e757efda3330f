/** Reads a live instance: polls while records come, waits while none do, counts what was lost. */
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { TraceClock } from './clock.ts';
import type { PageFormat } from './decode/format.ts';
import { MISSED_UNKNOWN, missedBefore } from './decode/page.ts';
import type { RecordReader } from './decode/record.ts';
import type { Instance } from './ftrace/instance.ts';
import { createLossCounter } from './ftrace/loss.ts';
import { openRing } from './ftrace/ring.ts';
import type { Settings } from './ftrace/settings.ts';
import type { StatsFiles } from './ftrace/stats.ts';
import { createStreams } from './merge.ts';
import type { RecordingWriter } from './recording/recording.ts';
import type { CpuStatus, LiveNews, RecordHandler } from './source.ts';

/** Events are to be in user space 50 ms after the kernel recorded them; the rest is for the reading itself. */
const POLL_MS = 30;
/** Polls without a record after which the source waits instead. */
const POLLS_BEFORE_WAIT = 4;
/** While it waits it looks once more after this long, for what connection tracking holds back by time. */
const LAST_LOOK_MS = 2_000;
/**
 * A slice of reading, so that acknowledgements and back-pressure have their turn: of all CPUs together, some 1,700
 * records, which is how far a slice can go beyond what the pipeline has room for.
 */
const PAGES_A_SLICE = 32;
/** How often the kernel's loss counters are read while records come. */
const STATS_INTERVAL_NS = 1e9;
/** How often the instance's settings are looked at, also while nothing comes. */
const SETTINGS_INTERVAL_MS = 5_000;
/**
 * A record is visible to the reader a moment after its time was taken. Records younger than this wait for the next
 * read, so that one that another CPU is just writing does not come too late.
 */
const SETTLE_NS = 200_000;

export interface LiveOptions {
  readonly instance: Instance;
  readonly cpus: number;
  readonly clock: TraceClock;
  readonly stats: StatsFiles;
  readonly settings: Settings;
  readonly pageFormat: PageFormat;
  readonly readers: ReadonlyMap<number, RecordReader>;
  readonly recording: RecordingWriter | undefined;
  /** Calls that the module's probes could not see so far; null without the module. */
  readonly readMissed: (() => number) | null;
  /** Removes the instance; one line when that fails. */
  readonly remove: () => Promise<string | null>;
  readonly news: LiveNews;
}

export interface LiveReader {
  run(handler: RecordHandler): Promise<void>;
  /** Takes what the kernel still holds and removes the instance. As in `Source`. */
  stop(patienceMs?: number): Promise<void>;
  paused(): boolean;
  cpus(): CpuStatus[];
  /** Records of the instance that were given so far, by this reader and by those before it. */
  records(): number;
}

/** Throws what open(2) says when the instance's files cannot be opened. */
export function createLiveReader(options: LiveOptions): LiveReader {
  const { instance, cpus, clock, stats, settings, pageFormat, recording, news } = options;
  /** The kernel's count of records read, less those that were given here. */
  let readBefore = instance.takenOver ? totalOf('read') : 0;
  let isCleared = false;
  let pagesRead = 0;
  let missedWhileDown = 0;
  let takingOver = instance.takenOver;
  let idlePolls = 0;
  let statsReadAt = Number.NEGATIVE_INFINITY;
  let paused = false;
  let cancelTimer = (): void => {};
  let watch: NodeJS.Timeout | undefined;
  let finish: ((patienceMs: number) => Promise<void>) | null = null;
  let stopping: Promise<void> | null = null;

  const ring = openRing(instance, cpus, pageFormat.data.offset + pageFormat.data.size, (cpu, page) => {
    pagesRead++;
    if (takingOver) missedWhileDown += countMissed(cpu, page);
    recording?.page(cpu, page);
    streams.push(cpu, page);
  });
  const streams = createStreams({
    cpus,
    epoch: clock.epoch,
    pageFormat,
    readers: options.readers,
    release: ring.release,
  });
  if (takingOver) {
    // The page that the last reader was on comes without a mark; the one behind it has it (`rb_get_reader_page`).
    for (let cpu = 0; cpu < cpus; cpu++) ring.read(cpu, 2);
    takingOver = false;
  }
  const losses = createLossCounter(instance, cpus, stats, options.readMissed);
  const pagesOfCpu = Math.max(2, Math.floor(PAGES_A_SLICE / cpus));

  /** One of the kernel's counters, all CPUs together. */
  function totalOf(counter: 'read' | 'entries'): number {
    let records = 0;
    for (let cpu = 0; cpu < cpus; cpu++) records += stats.read(cpu)?.[counter] ?? 0;
    return records;
  }

  function countMissed(cpu: number, page: Buffer): number {
    const missed = missedBefore(pageFormat, page);
    // Where the page had no room for the count, the kernel's own is the nearest: all that this CPU ever overwrote.
    return missed === MISSED_UNKNOWN ? (stats.read(cpu)?.overrun ?? 0) : missed;
  }

  function later(task: (handler: RecordHandler) => void, milliseconds: number, handler: RecordHandler): void {
    const timer = setTimeout(task, milliseconds, handler);
    cancelTimer = () => clearTimeout(timer);
  }

  function give(handler: RecordHandler, watermark: number): void {
    recording?.clock(clock);
    const given = streams.give(watermark, handler);
    recording?.give(given);
    handler.advance(given);
  }

  /** Reads a slice and gives it; true when the kernel may hold more. */
  function readSlice(handler: RecordHandler): boolean {
    clock.follow();
    const watermark = clock.now() - SETTLE_NS;
    let more = false;
    for (let cpu = 0; cpu < cpus; cpu++) {
      const unfinished = ring.read(cpu, pagesOfCpu);
      streams.setUnfinished(cpu, unfinished);
      more ||= unfinished;
    }
    give(handler, watermark);
    return more;
  }

  function readLosses(handler: RecordHandler): void {
    statsReadAt = clock.now();
    const tell = teller(handler);
    const readByKernel = losses.read(tell);
    if (missedWhileDown > 0) tell('while_down', missedWhileDown);
    missedWhileDown = 0;
    if (wasCleared(readByKernel)) watchSettings(handler);
  }

  /**
   * Somebody has emptied the buffer (`trace-cmd clear -a`, another clock): that also sets the kernel's count of records
   * read back to 0 (`ring_buffer_reset_cpu`), which otherwise is never less than what was given here.
   */
  function wasCleared(readByKernel: number): boolean {
    return !isCleared && readByKernel < readBefore + streams.given;
  }

  /** Counts on from where the kernel does, as soon as nothing is between what it has given and what was given here. */
  function followClearing(): void {
    if (!isCleared || !streams.isEmpty) return;
    isCleared = false;
    readBefore = totalOf('read') - streams.given;
  }

  function teller(handler: RecordHandler): RecordHandler['lost'] {
    return (reason, records, detail) => {
      recording?.lost(reason, records);
      handler.lost(reason, records, detail);
    };
  }

  function watchSettings(handler: RecordHandler): void {
    const cleared = wasCleared(totalOf('read'));
    const { changed, gone } = settings.restore();
    const disturbed = cleared ? [...changed, 'trace (cleared)'] : changed;
    if (disturbed.length > 0) {
      // What has been changed may empty the buffer when it is put back, as the clock does.
      isCleared = true;
      teller(handler)('settings_changed', 1, disturbed.join(', '));
    }
    if (gone === null) return;
    news.ended(`the kernel has no ${gone} any more: was tcp_trace.ko unloaded by force?`);
    void stop();
  }

  function poll(handler: RecordHandler): void {
    paused = !handler.ready();
    const pagesBefore = pagesRead;
    const more = !paused && readSlice(handler);
    if (clock.now() - statsReadAt > STATS_INTERVAL_NS) readLosses(handler);
    followClearing();
    if (more) {
      const timer = setImmediate(poll, handler);
      cancelTimer = () => clearImmediate(timer);
      return;
    }
    idlePolls = pagesRead > pagesBefore || paused ? 0 : idlePolls + 1;
    if (idlePolls < POLLS_BEFORE_WAIT || !waitForRecords(handler)) later(poll, POLL_MS, handler);
  }

  function waitForRecords(handler: RecordHandler): boolean {
    cancelTimer = () => {};
    const waiting = ring.wait(() => {
      cancelTimer();
      idlePolls = 0;
      later(poll, 0, handler);
    });
    if (waiting && idlePolls === POLLS_BEFORE_WAIT) later(poll, LAST_LOOK_MS, handler);
    return waiting;
  }

  /** What nothing can take any more goes with the instance, and is counted. */
  function countLeftovers(handler: RecordHandler): void {
    const entries = totalOf('entries');
    if (entries > 0) handler.lost('left_in_kernel', entries);
  }

  /** Reads on until the kernel holds nothing more, or until nothing has taken more for too long. */
  async function takeRest(handler: RecordHandler, patienceMs: number): Promise<void> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      if (handler.ready()) {
        if (!readSlice(handler)) return;
        await nextTurn();
      } else if (performance.now() < deadline) {
        await delay(POLL_MS);
      } else {
        return;
      }
    }
  }

  async function letGo(patienceMs: number): Promise<void> {
    cancelTimer();
    clearInterval(watch);
    await finish?.(patienceMs);
    settings.disableEvents();
    settings.close();
    stats.close();
    await ring.close();
    const problem = await options.remove();
    if (problem !== null) news.left(problem);
  }

  /** A handler may stop the source from within a call of its own. */
  function stop(patienceMs = 0): Promise<void> {
    stopping ??= Promise.resolve().then(() => letGo(patienceMs));
    return stopping;
  }

  return {
    run(handler) {
      if (stopping !== null) return stopping;
      return new Promise((resolve) => {
        finish = async (patienceMs) => {
          settings.stopRecording();
          await takeRest(handler, patienceMs);
          give(handler, Number.POSITIVE_INFINITY);
          readLosses(handler);
          countLeftovers(handler);
          resolve();
        };
        watch = setInterval(watchSettings, SETTINGS_INTERVAL_MS, handler);
        poll(handler);
      });
    },
    stop,
    paused: () => paused,
    cpus: losses.status,
    records: () => readBefore + streams.given,
  };
}
