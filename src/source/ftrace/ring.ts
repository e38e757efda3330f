/** Reads ring-buffer pages of all CPUs without blocking, and waits for them without polling. */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { isSystemError } from '../../shared/errors.ts';
import { type Instance, onlineCpus } from './instance.ts';
import type { PagePool } from './page-pool.ts';

/** Takes a page of one CPU. Its receiver returns it to the pool. */
export type OnPage = (cpu: number, page: Buffer) => void;

export interface Ring {
  /** Reads up to `pages` pages of one CPU. True if the kernel may hold more. */
  read(cpu: number, pages: number): boolean;
  /**
   * Calls `onReady` once, when a CPU has records. `onPage` has received the first page by then.
   * False if this process cannot wait.
   */
  wait(onReady: () => void): boolean;
  close(): Promise<void>;
}

interface PipeHandle {
  open(fd: number): number;
  close(): void;
}

/**
 * Opens libuv's handle to wait for any file descriptor with epoll. Tracefs supports that (`tracing_buffers_poll`), but
 * Node.js has no public call for it. Measured on a virtual machine: a timer that polls every 40 ms costs 0.4 % of a core,
 * and this handle 0.01 %. Null if a later Node.js does not have it: the source then polls.
 */
function openPipeHandle(instance: Instance, cpu: number): PipeHandle | null {
  type Binding = { Pipe: new (type: number) => PipeHandle; constants: { SOCKET: number } };
  const { binding } = process as unknown as { binding?: (name: string) => Binding };
  try {
    const pipes = binding?.('pipe_wrap');
    if (pipes === undefined) return null;
    const handle = new pipes.Pipe(pipes.constants.SOCKET);
    const fd = openRaw(instance, cpu);
    if (handle.open(fd) === 0) return handle;
    closeSync(fd);
    return null;
  } catch {
    return null;
  }
}

/**
 * Opens `per_cpu/cpuN/trace_pipe_raw` of CPUs 0 … cpus - 1, once to read and once to wait, because later this process
 * may not be allowed to open them. Throws the error of open(2).
 */
export function openRing(instance: Instance, cpus: number, pool: PagePool, onPage: OnPage): Ring {
  const waitBuffer = Buffer.allocUnsafeSlow(pool.pageSize);
  const files = Array.from({ length: cpus }, (_, cpu) => openRaw(instance, cpu));
  const unusedHandles = new Map(files.map((_, cpu) => [cpu, openPipeHandle(instance, cpu)]));
  const waiters = new Map<number, Socket>();
  let onReady: (() => void) | null = null;

  /** Waits on a separate descriptor, because Node.js closes it after an error or at the end of the file. */
  function openWaiter(cpu: number): Socket | null {
    const handle = unusedHandles.get(cpu) ?? openPipeHandle(instance, cpu);
    unusedHandles.delete(cpu);
    if (handle === null) return null;
    const callback = (length: number): boolean => {
      const page = pool.take();
      waitBuffer.copy(page, 0, 0, length);
      onPage(cpu, length === page.length ? page : page.subarray(0, length));
      wake();
      return false;
    };
    const options = { handle, readable: true, writable: false, onread: { buffer: waitBuffer, callback } };
    const socket = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
    // The next read of the same CPU meets the same error and handles it.
    socket.on('error', () => {});
    socket.once('close', () => {
      waiters.delete(cpu);
      wake();
    });
    waiters.set(cpu, socket);
    return socket;
  }

  function wake(): void {
    const ready = onReady;
    stopWaiting();
    ready?.();
  }

  function stopWaiting(): void {
    onReady = null;
    for (const waiter of waiters.values()) waiter.pause();
  }

  return {
    read(cpu, pages) {
      const fd = files[cpu];
      if (fd === undefined) return false;
      for (let count = 0; count < pages; count++) {
        const page = pool.take();
        const length = readPage(fd, page);
        if (length === 0) {
          pool.release(page);
          return false;
        }
        onPage(cpu, length === page.length ? page : page.subarray(0, length));
      }
      return true;
    },
    wait(ready) {
      onReady = ready;
      // A CPU that has never been online has no buffer: waiting for it would end at once, every time.
      for (const cpu of onlineCpus()) {
        const waiter = waiters.get(cpu) ?? openWaiter(cpu);
        if (waiter === null) {
          stopWaiting();
          return false;
        }
        waiter.resume();
      }
      return true;
    },
    async close() {
      stopWaiting();
      for (const handle of unusedHandles.values()) handle?.close();
      await Promise.all([...waiters.values()].map(closeWaiter));
      for (const fd of files) closeSync(fd);
    },
  };
}

function openRaw(instance: Instance, cpu: number): number {
  return openSync(
    `${instance.path}/per_cpu/cpu${cpu}/trace_pipe_raw`,
    constants.O_RDONLY | constants.O_NONBLOCK,
  );
}

/**
 * Reads one page. Gives its length in bytes, 0 if the kernel has nothing: EAGAIN, or ENODEV for a CPU that has never been
 * online. Both come as exceptions. Their stack trace is half of the cost of an empty read (measured: 5.1 µs with it,
 * 2.7 µs without).
 */
function readPage(fd: number, page: Buffer): number {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return readSync(fd, page, 0, page.length, null);
  } catch (error) {
    if (isSystemError(error) && (error.code === 'EAGAIN' || error.code === 'ENODEV')) return 0;
    throw error;
  } finally {
    Error.stackTraceLimit = limit;
  }
}

function closeWaiter(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
    socket.destroy();
  });
}
