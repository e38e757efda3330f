/** Notices that a pipe has no reader any more, without a write to it. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';

interface TcpHandle {
  open(fd: number): number;
}

/**
 * The kernel reports to a pipe's writer with EPOLLERR that its last reader has gone (`pipe_poll` in fs/pipe.c). libuv
 * polls for that only on a descriptor that it reads, and it does not read a pipe that is open for writing. But it
 * reads every descriptor that it takes for TCP, and gets EBADF after the kernel's report. Null where the descriptor
 * is no pipe, or where a later Node.js has no such binding: then the next write fails instead.
 */
function openHandle(fd: number): TcpHandle | null {
  type Binding = { TCP: new (type: number) => TcpHandle; constants: { SOCKET: number } };
  const { binding } = process as unknown as { binding?: (name: string) => Binding };
  try {
    const tcp = binding?.('tcp_wrap');
    if (tcp === undefined || !fstatSync(fd).isFIFO()) return null;
    const handle = new tcp.TCP(tcp.constants.SOCKET);
    // libuv polls a descriptor only once, and standard output is polled already.
    const own = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
    if (handle.open(own) === 0) return handle;
    closeSync(own);
    return null;
  } catch {
    return null;
  }
}

/**
 * Calls `then` when the pipe has no reader any more. Returns what ends the watch, which does not keep the process
 * alive.
 */
export function watchReader(fd: number, then: () => void): () => void {
  const handle = openHandle(fd);
  if (handle === null) return () => {};
  const options = { handle, readable: true, writable: false };
  const socket = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
  socket.on('error', then).resume().unref();
  return () => socket.destroy();
}
