/** Reads a live instance for one handler: gives records, reports losses, and guards the settings. */
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { TraceClock } from './clock.ts';
import type { ClearingDetector } from './ftrace/clearing.ts';
import type { Disturbances } from './ftrace/disturbances.ts';
import type { LossCounter } from './ftrace/loss.ts';
import type { Settings } from './ftrace/settings.ts';
import { createHeartbeat, type Found } from './heartbeat.ts';
import type { StreamTasks } from './merge.ts';
import type { RecordingWriter } from './recording/recording.ts';
import type { Slices } from './slices.ts';
import type { RecordHandler, SourceLoss } from './source.ts';

/** How often the kernel's loss counters are read while records come. */
const STATS_INTERVAL_NS = 1e9;
/**
 * How often the instance's settings are compared, by the heartbeat: so they are compared within 5 s, whether or not records
 * come.
 */
const SETTINGS_INTERVAL_MS = 2_400;
/** Pause before a handler that cannot take more is asked again, at the end. */
const RETRY_MS = 30;

/** The open parts of a live instance. */
export interface LiveParts {
  readonly bufferKb: number;
  readonly lingerMs: number;
  readonly clock: TraceClock;
  /** The sum of one of the kernel's counters over all CPUs. */
  readonly total: (counter: 'read' | 'entries') => number;
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
  /** Reads at once. */
  beat(): void;
  setLinger(milliseconds: number): void;
  /**
   * Stops recording, and gives what the kernel still holds. If the handler cannot take more, it waits for so many
   * milliseconds, and counts the rest as lost.
   */
  finish(patienceMs: number): Promise<void>;
  /** The last round read nothing, because the handler could not take more. */
  readonly isPaused: boolean;
}

/** `onGone` is called with a settings file that does not exist any more: no records will come. */
export function createReading(
  parts: LiveParts,
  handler: RecordHandler,
  onGone: (file: string) => void,
): Reading {
  const { clock, total, settings, disturbances, recording, slices, losses, clearing, tasks } = parts;
  let isPaused = false;
  let lossesReadAt = Number.NEGATIVE_INFINITY;
  /** By `performance.now`. */
  let settingsReadAt = performance.now();
  let told: readonly string[] = [];
  const heartbeat = createHeartbeat({ ...parts, read, wait: slices.wait, look });

  function reportLoss(reason: SourceLoss, records: number, detail?: string): void {
    tasks.lost();
    recording?.lost(reason, records);
    handler.lost(reason, records, detail);
  }

  function readLosses(): void {
    lossesReadAt = clock.now();
    const readByKernel = losses.read(reportLoss);
    if (clearing.isCleared(readByKernel)) checkSettings();
    const others = clearing.readByOthers(readByKernel);
    if (others > 0) reportLoss('settings_changed', 1, `${others} records were read by another program`);
  }

  function checkSettings(): void {
    settingsReadAt = performance.now();
    const isCleared = clearing.isCleared(total('read'));
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

  function read(): Found {
    isPaused = !handler.ready();
    const { pages } = slices;
    const { given } = slices.streams;
    const more = !isPaused && slices.read(handler);
    if (clock.now() - lossesReadAt > STATS_INTERVAL_NS) readLosses();
    clearing.resume();
    checkSettingsIfDue();
    return {
      records: slices.streams.given - given,
      hasPages: slices.pages > pages,
      isHolding: !slices.streams.isEmpty,
      more,
      isPaused,
    };
  }

  function look(): number {
    checkSettingsIfDue();
    return slices.fill();
  }

  function checkSettingsIfDue(): void {
    if (performance.now() - settingsReadAt >= SETTINGS_INTERVAL_MS) checkSettings();
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
      tellDisturbances();
      heartbeat.beat();
    },
    beat: heartbeat.beat,
    setLinger: heartbeat.setLinger,
    async finish(patienceMs) {
      heartbeat.stop();
      settings.stopRecording();
      await readRest(patienceMs);
      slices.giveRest(handler);
      readLosses();
      // These records are removed with the instance.
      const entries = total('entries');
      if (entries > 0) handler.lost('left_in_kernel', entries);
    },
    get isPaused() {
      return isPaused;
    },
  };
}
