/** Reads a live instance for one handler: gives records, reports losses, and guards the settings. */
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { TraceClock } from './clock.ts';
import type { ClearingDetector } from './ftrace/clearing.ts';
import type { Disturbances } from './ftrace/disturbances.ts';
import type { LossCounter } from './ftrace/loss.ts';
import type { Settings } from './ftrace/settings.ts';
import type { StatsFiles } from './ftrace/stats.ts';
import type { StreamTasks } from './merge.ts';
import { createPoller, type Found } from './poller.ts';
import type { RecordingWriter } from './recording/recording.ts';
import type { Slices } from './slices.ts';
import type { RecordHandler, SourceLoss } from './source.ts';

/** How often the kernel's loss counters are read while records come. */
const STATS_INTERVAL_NS = 1e9;
/** How often the instance's settings are compared, also while no records come. */
const SETTINGS_INTERVAL_MS = 5_000;
/** Pause before a handler that cannot take more is asked again, at the end. */
const RETRY_MS = 30;

/** The open parts of a live instance. */
export interface LiveParts {
  readonly clock: TraceClock;
  readonly stats: StatsFiles;
  readonly settings: Settings;
  readonly disturbances: Pick<Disturbances, 'look'>;
  readonly recording: RecordingWriter | undefined;
  readonly slices: Slices;
  readonly losses: LossCounter;
  readonly clearing: ClearingDetector;
  readonly tasks: Pick<StreamTasks, 'lost'>;
}

export interface Reading {
  start(): void;
  /**
   * Stops recording, and gives what the kernel still holds. If the handler cannot take more, it waits for so many
   * milliseconds, and counts the rest as lost.
   */
  finish(patienceMs: number): Promise<void>;
  /** The last poll read nothing, because the handler could not take more. */
  readonly isPaused: boolean;
}

/** `onGone` is called with a settings file that does not exist any more: no records will come. */
export function createReading(
  parts: LiveParts,
  handler: RecordHandler,
  onGone: (file: string) => void,
): Reading {
  const { clock, stats, settings, disturbances, recording, slices, losses, clearing, tasks } = parts;
  let isPaused = false;
  let lossesReadAt = Number.NEGATIVE_INFINITY;
  let told: readonly string[] = [];
  let settingsTimer: NodeJS.Timeout | undefined;
  const poller = createPoller(poll, slices.wait);

  function reportLoss(reason: SourceLoss, records: number, detail?: string): void {
    tasks.lost();
    recording?.lost(reason, records);
    handler.lost(reason, records, detail);
  }

  function readLosses(): void {
    lossesReadAt = clock.now();
    const readByKernel = losses.read(reportLoss);
    if (clearing.isCleared(readByKernel)) checkSettings();
  }

  function checkSettings(): void {
    const isCleared = clearing.isCleared(stats.total('read'));
    const { changed, gone } = settings.restore();
    const disturbed = isCleared ? [...changed, 'trace (cleared)'] : changed;
    if (disturbed.length > 0) {
      // Restoring a setting may also empty the buffer, as the clock does.
      clearing.suspend();
      reportLoss('settings_changed', 1, disturbed.join(', '));
    }
    if (gone !== null) onGone(gone);
    tellDisturbances();
  }

  /** Tells each once, and again if it comes back after it had ended. */
  function tellDisturbances(): void {
    const found = disturbances.look();
    for (const line of found) if (!told.includes(line)) reportLoss('settings_changed', 1, line);
    told = found;
  }

  function poll(): Found {
    isPaused = !handler.ready();
    const pagesBefore = slices.pages;
    const more = !isPaused && slices.read(handler);
    if (clock.now() - lossesReadAt > STATS_INTERVAL_NS) readLosses();
    clearing.resume();
    if (more) return 'more';
    return slices.pages > pagesBefore || isPaused ? 'some' : 'nothing';
  }

  /** Reads until the kernel holds nothing more, or until the handler has taken nothing for too long. */
  async function readRest(patienceMs: number): Promise<void> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      if (handler.ready()) {
        if (!slices.read(handler)) return;
        await nextTurn();
      } else if (performance.now() < deadline) {
        await delay(RETRY_MS);
      } else {
        return;
      }
    }
  }

  return {
    start() {
      settingsTimer = setInterval(checkSettings, SETTINGS_INTERVAL_MS);
      tellDisturbances();
      poller.start();
    },
    async finish(patienceMs) {
      poller.stop();
      clearInterval(settingsTimer);
      settings.stopRecording();
      await readRest(patienceMs);
      slices.giveRest(handler);
      readLosses();
      // These records are removed with the instance.
      const entries = stats.total('entries');
      if (entries > 0) handler.lost('left_in_kernel', entries);
    },
    get isPaused() {
      return isPaused;
    },
  };
}
