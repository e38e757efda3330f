/** Reads ring-buffer pages without blocking, and waits for records without polling. */
import { closeSync, constants, openSync, readvSync } from 'node:fs';
import { isSystemError } from '../../shared/errors.ts';
import type { Instance } from './instance.ts';
import type { PagePool } from './page-pool.ts';

const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;
/**
 * Pages per system call: a CPU that has fewer gives them all, and tells by that that it has no more. One that is asked again
 * tells it by an exception (`do_loop_readv_writev`, fs/read_write.c, gives what was read before an error).
 */
const PAGES_AT_ONCE = 4;

/** Takes a page of one CPU. Its receiver returns it to the pool. */
export type OnPage = (cpu: number, page: Buffer) => void;

export interface Ring {
  /** Reads up to `pages` pages of one CPU. True if the kernel may hold more. */
  read(cpu: number, pages: number): boolean;
  /**
   * Calls `onReady` once, when a CPU has records, which stay in the kernel. False if this process cannot wait. A wait that is
   * under way ends.
   */
  wait(onReady: () => void): boolean;
  close(): Promise<void>;
}

/** A part of libuv's handle for pipes (`StreamBase` of Node.js). It owns the descriptor that it was opened with. */
interface Waiter {
  open(fd: number): number;
  useUserBuffer(buffer: Buffer): void;
  onread: () => void;
  readStart(): number;
  readStop(): number;
  close(onClosed: () => void): void;
}

/**
 * Opens libuv's handle to wait for a file with epoll. Tracefs supports that (`tracing_poll_pipe`), but Node.js has no public
 * call for it. Measured on a virtual machine: a timer that polls every 40 ms costs 0.4 % of a core, and this handle 0.01 %.
 * Null if a later Node.js does not have it, or if another program reads the file, which newer kernels allow to one only
 * (`open_pipe_on_cpu`): the source then polls.
 *
 * The buffer that it is to read into has no room, so libuv tells that there is something to read (`onread`, UV_ENOBUFS of
 * `uv_read_cb`) and reads nothing: what waits, waits in the kernel.
 */
function openWaiter(path: string): Waiter | null {
  type Binding = { Pipe: new (type: number) => Waiter; constants: { SOCKET: number } };
  const { binding } = process as unknown as { binding?: (name: string) => Binding };
  let fd: number | null = null;
  try {
    const pipes = binding?.('pipe_wrap');
    if (pipes === undefined) return null;
    const waiter = new pipes.Pipe(pipes.constants.SOCKET);
    waiter.useUserBuffer(Buffer.alloc(0));
    fd = openSync(path, FLAGS);
    if (waiter.open(fd) === 0) return waiter;
  } catch {}
  if (fd !== null) closeSync(fd);
  return null;
}

/**
 * Opens `per_cpu/cpuN/trace_pipe_raw` of CPUs 0 … cpus - 1, and `trace_pipe` to wait for records of any CPU, because later this
 * process may not be allowed to. Throws the error of open(2).
 */
export function openRing({ path }: Instance, cpus: number, pool: PagePool, onPage: OnPage): Ring {
  const buffers = openAll(
    Array.from({ length: cpus }, (_, cpu) => `${path}/per_cpu/cpu${cpu}/trace_pipe_raw`),
  );
  const waiter = openWaiter(`${path}/trace_pipe`);

  /** The pages that one system call reads into. */
  const vector: Buffer[] = [];

  /** Hands out what was read into the pages of `vector`, `length` bytes; gives whether that is all of them. */
  function handOut(cpu: number, length: number): boolean {
    let left = length;
    for (const page of vector) {
      if (left >= page.length) onPage(cpu, page);
      else if (left > 0) onPage(cpu, page.subarray(0, left));
      else pool.release(page);
      left -= page.length;
    }
    return left === 0;
  }

  return {
    read(cpu, pages) {
      const fd = buffers[cpu];
      if (fd === undefined) return false;
      for (let left = pages; left > 0; left -= PAGES_AT_ONCE) {
        vector.length = 0;
        while (vector.length < Math.min(left, PAGES_AT_ONCE)) vector.push(pool.take());
        if (!handOut(cpu, readPages(fd, vector))) return false;
      }
      return true;
    },
    wait(onReady) {
      if (waiter === null) return false;
      waiter.onread = () => {
        waiter.readStop();
        onReady();
      };
      waiter.readStart();
      return true;
    },
    async close() {
      for (const fd of buffers) closeSync(fd);
      if (waiter !== null) await new Promise<void>((resolve) => waiter.close(resolve));
    },
  };
}

/** Where one of them cannot be opened, none stays open: the instance could not be removed otherwise. */
function openAll(paths: readonly string[]): number[] {
  const files: number[] = [];
  try {
    for (const path of paths) files.push(openSync(path, FLAGS));
    return files;
  } catch (error) {
    for (const fd of files) closeSync(fd);
    throw error;
  }
}

/**
 * Reads as many pages as there are, and have room. Gives their length in bytes, 0 if the kernel has nothing: EAGAIN, or ENODEV
 * for a CPU that has never been online. Both come as exceptions. Their stack trace is half of the cost of an empty read
 * (measured: 5.1 µs with it, 2.7 µs without).
 */
function readPages(fd: number, pages: readonly Buffer[]): number {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return readvSync(fd, pages);
  } catch (error) {
    if (isSystemError(error) && (error.code === 'EAGAIN' || error.code === 'ENODEV')) return 0;
    throw error;
  } finally {
    Error.stackTraceLimit = limit;
  }
}
