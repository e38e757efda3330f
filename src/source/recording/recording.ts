/**
 * Writes recordings: everything that a live source read, so that it can be replayed anywhere, without root.
 *
 * A recording is a series of gzip members. Each member holds whole frames, so a writer that is killed loses only what
 * it had not written yet:
 *
 *     frame = type (1 byte) | 0 (1 byte) | cpu (u16) | length (u32) | payload        little-endian
 *
 * The first frame is the header. A `give` of everything marks the end of a whole recording. Pages are as the kernel gave
 * them, but for addresses of the kernel, which are hidden (kernel-addresses.ts).
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { gzipSync } from 'node:zlib';
import { isSystemError } from '../../shared/errors.ts';
import { type Result, refusal, success } from '../../shared/result.ts';
import type { Epoch, TraceClock } from '../clock.ts';
import type { TaskEvent } from '../decode/task-events.ts';
import type { Place } from '../host/control-group.ts';
import type { KernelIdentity } from '../host/identity.ts';
import type { HostReport } from '../host/report.ts';
import type { ExistingConnection } from '../host/sockets.ts';
import type { ThreadFacts } from '../host/task-tracker.ts';
import { UNKNOWN_TASK } from '../host/tasks.ts';
import type { ProbeName } from '../probes.ts';
import type { SourceLoss } from '../source.ts';
import { createAddressHider } from './kernel-addresses.ts';

export const RECORDING_VERSION = 1;

export const FRAME = {
  header: 1,
  page: 2,
  clock: 3,
  task: 4,
  give: 5,
  lost: 6,
  existing: 7,
  host: 8,
  place: 9,
} as const;
export const FRAME_HEAD_BYTES = 8;

export interface RecordedEvent {
  readonly probe: ProbeName;
  /** In the kernel's filter language; empty if there was none. */
  readonly filter: string;
  /** Absent in recordings whose filters the kernel has applied. */
  readonly filteredBy?: 'kernel' | 'source';
  /** The text of the event's format file. */
  readonly format: string;
}

export interface RecordedTaskEvent {
  readonly name: TaskEvent;
  /** The text of the event's format file. */
  readonly format: string;
}

export interface RecordingHeader {
  /** RECORDING_VERSION of the writer. */
  readonly version: number;
  readonly kernel: KernelIdentity;
  readonly session: string;
  readonly cpus: number;
  readonly clockName: string;
  readonly epoch: Epoch;
  /** The text of events/header_page. */
  readonly pageFormat: string;
  readonly events: readonly RecordedEvent[];
  /** The events that tell of tasks, if any were recorded. Absent in recordings whose writer did not know of these. */
  readonly taskEvents?: readonly RecordedTaskEvent[];
}

/** JSON payloads of the frames that are not pages. */
export interface ClockFrame {
  readonly wallSeconds: number;
  readonly wallNanoseconds: number;
}
/** What /proc said of a thread. */
export interface TaskFrame {
  readonly thread: number;
  /** Null if the thread had ended. */
  readonly pid: number | null;
  readonly comm: string | null;
  readonly isKernel?: true;
  /** As in `ThreadFacts`; absent in recordings without `taskEvents`. */
  readonly since?: number;
  /** The trace time of the record for which /proc was asked; absent before the first one. */
  readonly time?: number;
}
/** What /proc said of where a process belongs. */
export interface PlaceFrame {
  readonly pid: number;
  /** The trace time of the record for which /proc was asked. */
  readonly time: number;
  /** Null if the process had ended. */
  readonly place: Place | null;
}
export interface GiveFrame {
  /** Trace time in nanoseconds; null at the end, when everything was given. */
  readonly watermark: number | null;
}
export interface LostFrame {
  readonly reason: SourceLoss;
  readonly records: number;
}

export interface ExistingFrame {
  readonly existing: readonly ExistingConnection[];
}

/** Writes what a live source reads, in the order of the calls. */
export interface RecordingWriter {
  begin(header: Omit<RecordingHeader, 'version'>): void;
  existing(connections: readonly ExistingConnection[]): void;
  page(cpu: number, page: Buffer): void;
  clock(clock: TraceClock): void;
  /** What /proc said of a thread when a record of that trace time needed it: null before any; `facts` null if it had ended. */
  task(thread: number, time: number | null, facts: ThreadFacts | null): void;
  /** The same of where a process belongs; `place` null if it had ended. */
  place(pid: number, time: number, place: Place | null): void;
  give(watermark: number): void;
  lost(reason: SourceLoss, records: number): void;
  host(report: HostReport): void;
  /** Writes the rest and closes the file. */
  close(): RecordingResult;
}

export interface RecordingResult {
  readonly pages: number;
  readonly bytes: number;
  /** Why writing ended early, such as a full disk; null if everything was written. */
  readonly problem: string | null;
}

/** Bytes of frames per gzip member, before compression. */
const MEMBER_BYTES = 1 << 20;

/** Without O_NONBLOCK, open(2) of a pipe waits until somebody reads it. */
const OPEN_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NONBLOCK;

/** Opens a file, or a device that takes bytes at once. A write to a pipe or a terminal can wait for ever for its reader. */
function openFile(path: string): Result<number> {
  try {
    const file = openSync(path, OPEN_FLAGS, 0o640);
    const found = fstatSync(file);
    if (found.isFile() || (found.isCharacterDevice() && !isatty(file))) return success(file);
    closeSync(file);
    return refusal(`cannot write ${path}: it is no file, and a recording needs one`);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return refusal(`cannot write ${path}: ${error.message}`);
  }
}

/** Creates a recording, or replaces the one that exists. Calls `onFault` once, when nothing more can be written. */
export function createRecording(path: string, onFault: () => void): Result<RecordingWriter> {
  const opened = openFile(path);
  return opened.ok ? success(createWriter(opened.value, onFault)) : opened;
}

function createWriter(file: number, onFault: () => void): RecordingWriter {
  let frames: Buffer[] = [];
  let pending = 0;
  let pages = 0;
  let bytes = 0;
  let lastClock = '';
  let problem: string | null = null;
  let hideAddresses = (_page: Buffer): void => {};

  function flush(): void {
    if (pending === 0) return;
    const member = gzipSync(Buffer.concat(frames));
    frames = [];
    pending = 0;
    if (problem !== null) return;
    try {
      for (let written = 0; written < member.length; ) written += writeSync(file, member, written);
      bytes += member.length;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      problem = error.message;
      onFault();
    }
  }

  function write(type: number, cpu: number, payload: Buffer): void {
    const head = Buffer.alloc(FRAME_HEAD_BYTES);
    head.writeUInt8(type, 0);
    head.writeUInt16LE(cpu, 2);
    head.writeUInt32LE(payload.length, 4);
    frames.push(head, payload);
    pending += head.length + payload.length;
    if (pending >= MEMBER_BYTES) flush();
  }

  function writeJson(
    type: number,
    value:
      | RecordingHeader
      | ExistingFrame
      | ClockFrame
      | TaskFrame
      | PlaceFrame
      | GiveFrame
      | LostFrame
      | HostReport,
  ): void {
    write(type, 0, Buffer.from(JSON.stringify(value)));
  }

  return {
    begin(header) {
      hideAddresses = createAddressHider(
        header.pageFormat,
        header.events.map(({ format }) => format),
      );
      writeJson(FRAME.header, { version: RECORDING_VERSION, ...header });
    },
    existing(existing) {
      writeJson(FRAME.existing, { existing });
    },
    page(cpu, page) {
      pages++;
      // A copy, because the ring uses its pages again. Zeros at the end of a page compress to nothing.
      const copy = Buffer.from(page);
      hideAddresses(copy);
      write(FRAME.page, cpu, copy);
    },
    clock({ wallSeconds, wallNanoseconds }) {
      const frame = { wallSeconds, wallNanoseconds };
      const text = JSON.stringify(frame);
      if (text !== lastClock) writeJson(FRAME.clock, frame);
      lastClock = text;
    },
    task(thread, time, facts) {
      const { pid, comm, isKernel } = facts?.who ?? UNKNOWN_TASK;
      writeJson(FRAME.task, {
        ...{ thread, pid, comm },
        ...(isKernel && { isKernel }),
        ...(facts !== null && Number.isFinite(facts.since) && { since: facts.since }),
        ...(time !== null && { time }),
      });
    },
    place(pid, time, place) {
      writeJson(FRAME.place, { pid, time, place });
    },
    give(watermark) {
      writeJson(FRAME.give, { watermark: Number.isFinite(watermark) ? watermark : null });
    },
    lost(reason, records) {
      writeJson(FRAME.lost, { reason, records });
    },
    host(report) {
      writeJson(FRAME.host, report);
    },
    close() {
      flush();
      closeSync(file);
      return { pages, bytes, problem };
    },
  };
}
