/** A reading of a live instance, whose kernel is three numbers. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createClearingDetector } from '../../../src/source/ftrace/clearing.ts';
import { createReading, type LiveParts } from '../../../src/source/reading.ts';
import { handlerOf } from '../../support/record-handler.ts';

interface Kernel {
  /** Records that were read, and those that were not. */
  read: number;
  entries: number;
  changed: string[];
  disturbances: string[];
  gone: string | null;
  stopped: boolean;
  tasksLost: number;
}

function openReading(isReady: () => boolean = () => true) {
  const kernel: Kernel = {
    read: 0,
    entries: 0,
    changed: [],
    disturbances: [],
    gone: null,
    stopped: false,
    tasksLost: 0,
  };
  const streams = { given: 0, isEmpty: true };
  const heard: string[] = [];
  const gone: string[] = [];
  const handler = handlerOf({
    ready: isReady,
    lost: (reason, records, detail) => heard.push([reason, records, detail ?? ''].join(' ').trim()),
    advance: (time) => heard.push(`advance ${time}`),
  });
  const parts: LiveParts = {
    bufferKb: 4096,
    lingerMs: 200,
    clock: {
      epoch: { high: 0, low: 0 },
      wallSeconds: 0,
      wallNanoseconds: 0,
      now: () => 0,
      follow: () => 0,
    },
    total: (counter) => kernel[counter],
    settings: {
      restore: () => ({ changed: kernel.changed.splice(0), gone: kernel.gone }),
      stopRecording() {
        kernel.stopped = true;
      },
      disableEvents() {},
      close() {},
    },
    disturbances: { look: () => kernel.disturbances },
    recording: undefined,
    slices: {
      // One record per slice.
      read() {
        if (kernel.entries === 0) return false;
        kernel.entries--;
        kernel.read++;
        streams.given++;
        return kernel.entries > 0;
      },
      giveRest: ({ advance }) => advance(Number.POSITIVE_INFINITY, false),
      get pages() {
        return streams.given;
      },
      takeOver: () => 0,
      streams,
      wait: () => true,
      fill: () => 0,
      close: async () => {},
    },
    losses: { takeOver() {}, read: () => kernel.read, status: () => [] },
    clearing: createClearingDetector(0, streams, () => kernel.read),
    tasks: { lost: () => kernel.tasksLost++ },
  };
  return { kernel, streams, heard, gone, reading: createReading(parts, handler, (file) => gone.push(file)) };
}

describe('the end of a reading', () => {
  test('gives everything that the kernel holds, after the kernel has stopped recording', async () => {
    const { kernel, heard, streams, reading } = openReading();
    reading.start();
    kernel.entries = 3;
    await reading.finish(0);
    expect(kernel.stopped).toBe(true);
    expect(streams.given).toBe(3);
    expect(heard).toEqual(['advance Infinity']);
  });

  test('waits for a handler that is not ready', async () => {
    let asked = 0;
    const { kernel, streams, reading } = openReading(() => ++asked > 3);
    reading.start();
    expect(reading.isPaused).toBe(true);
    kernel.entries = 2;
    await reading.finish(60_000);
    expect(streams.given).toBe(2);
  });

  test('counts what a handler has not taken in the given time', async () => {
    const { kernel, heard, streams, reading } = openReading(() => false);
    reading.start();
    kernel.entries = 2;
    await reading.finish(0);
    expect(streams.given).toBe(0);
    expect(heard).toEqual(['advance Infinity', 'left_in_kernel 2']);
  });
});

describe('what other programs do to the instance', () => {
  test('may have kept records of tasks from being made', async () => {
    const { kernel, reading, streams } = openReading();
    await reading.finish(0);
    expect(kernel.tasksLost).toBe(0);
    streams.given = 1;
    streams.isEmpty = false;
    await reading.finish(0);
    expect(kernel.tasksLost).toBe(1);
  });

  test('that empties the buffer is reported once', async () => {
    const { kernel, heard, reading, streams } = openReading();
    kernel.entries = 5;
    reading.start();
    await reading.finish(0);
    heard.length = 0;
    kernel.read = 0;
    streams.isEmpty = false;
    await reading.finish(0);
    await reading.finish(0);
    expect(heard.filter((line) => !line.startsWith('advance'))).toEqual([
      'settings_changed 1 trace (cleared)',
    ]);
  });

  test('that removes an event ends the reading', async () => {
    const { kernel, gone, reading, streams } = openReading();
    streams.given = 1;
    kernel.gone = 'events/ktc/tcp_set_state/enable';
    kernel.changed = ['tracing_on'];
    await reading.finish(0);
    expect(gone).toEqual(['events/ktc/tcp_set_state/enable']);
  });
});

describe('what is not ours to change', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('is told at the start and within 5 s, once, and again when it comes back', async () => {
    const { kernel, heard, reading } = openReading();
    const told = () => heard.splice(0).filter((line) => !line.startsWith('advance'));
    kernel.disturbances = ['a filter'];
    reading.start();
    expect(told()).toEqual(['settings_changed 1 a filter']);
    kernel.disturbances = ['a filter', 'ftrace is off'];
    vi.advanceTimersByTime(5_000);
    expect(told()).toEqual(['settings_changed 1 ftrace is off']);
    kernel.disturbances = [];
    vi.advanceTimersByTime(5_000);
    kernel.disturbances = ['ftrace is off'];
    vi.advanceTimersByTime(10_000);
    expect(told()).toEqual(['settings_changed 1 ftrace is off']);
    await reading.finish(0);
  });
});
