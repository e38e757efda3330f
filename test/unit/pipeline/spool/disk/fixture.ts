/** A storage on a disk that fails as the test says, and what is forced to it. */
import * as fs from 'node:fs';
import { type SpoolFiles, systemFiles } from '../../../../../src/pipeline/spool/disk/files.ts';
import { FRAME_HEADER_BYTES } from '../../../../../src/pipeline/spool/disk/frame.ts';
import { openStorage, type Storage } from '../../../../../src/pipeline/spool/disk/storage.ts';
import { makeDirectory } from '../fixture.ts';

export interface Disk {
  readonly directory: string;
  readonly storage: Storage;
  /** Calls that bring something to the disk since the last look: `fdatasync` and the file, `fsync` and `.`. */
  synced(): string[];
  /** Descriptors that are open. */
  readonly opened: ReadonlyMap<number, string>;
  /** From now on these calls fail with this error; null mends them. */
  fail(call: 'sync' | 'write' | 'rename' | 'unlink', error: NodeJS.ErrnoException | Error | null): void;
  /** Only the nth write from now on fails. */
  failWrite(nth: number, error: NodeJS.ErrnoException): void;
}

export function openDisk(
  options: { segmentBytes?: number; syncAlways?: boolean } = {},
  directory = makeDirectory(),
): Disk {
  const opened = new Map<number, string>();
  const faults = new Map<string, Error>();
  let writeFault: { in: number; readonly error: NodeJS.ErrnoException } | null = null;
  let synced: string[] = [];
  const check = (call: string) => {
    const fault = faults.get(call);
    if (fault !== undefined) throw fault;
  };
  const nameOf = (descriptor: number) => opened.get(descriptor) ?? 'nothing that is open';
  const note = (call: string, descriptor: number) => {
    check('sync');
    synced.push(`${call} ${nameOf(descriptor)}`);
  };
  const later =
    (call: string) =>
    (descriptor: number, done: fs.NoParamCallback): void => {
      const fault = faults.get('sync') ?? null;
      if (fault === null) note(call, descriptor);
      setImmediate(done, fault);
    };
  const files = {
    ...systemFiles,
    openSync(path: string, ...rest: [number, number?]) {
      const descriptor = fs.openSync(path, ...rest);
      opened.set(descriptor, path === directory ? '.' : path.slice(directory.length + 1));
      return descriptor;
    },
    closeSync(descriptor: number) {
      opened.delete(descriptor);
      fs.closeSync(descriptor);
    },
    writevSync(...parts: Parameters<typeof fs.writevSync>) {
      check('write');
      if (writeFault !== null && --writeFault.in === 0) throw writeFault.error;
      return fs.writevSync(...parts);
    },
    renameSync(from: string, to: string) {
      check('rename');
      fs.renameSync(from, to);
    },
    unlinkSync(path: string) {
      check('unlink');
      fs.unlinkSync(path);
    },
    fdatasync: later('fdatasync'),
    fsync: later('fsync'),
    fdatasyncSync: (descriptor: number) => note('fdatasync', descriptor),
    fsyncSync: (descriptor: number) => note('fsync', descriptor),
  } as unknown as SpoolFiles;
  const found = openStorage(directory, { segmentBytes: 1 << 20, syncAlways: false, ...options, files });
  if (!found.ok) throw new Error(found.problem);
  return {
    directory,
    storage: found.value.storage,
    opened,
    synced() {
      const calls = synced;
      synced = [];
      return calls;
    },
    fail(call, error) {
      if (error === null) faults.delete(call);
      else faults.set(call, error);
    },
    failWrite(nth, error) {
      writeFault = { in: nth, error };
    },
  };
}

export const frame = (ordinal: number, events = 1, text = 'x\n') => ({
  ordinal,
  events,
  oldestMs: 0,
  mark: null,
  payload: Buffer.from(text),
});
export const FRAME_BYTES = FRAME_HEADER_BYTES + 2;
export const name = (first: number, end?: number) => {
  const padded = (ordinal: number) => String(ordinal).padStart(20, '0');
  return end === undefined ? `${padded(first)}.open` : `${padded(first)}-${padded(end)}.segment`;
};
