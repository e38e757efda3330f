/** Notices that the reader of a pipe has gone, without writing into it. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';

interface TcpHandle {
  open(fd: number): number;
}

/**
 * The kernel tells a pipe's writer by EPOLLERR that its last reader has gone (`pipe_poll` of fs/pipe.c). libuv waits for
 * that only where it reads, and it does not read what is a pipe open for writing. It reads whatever it takes for TCP, and
 * meets EBADF once the kernel has spoken. Null where the descriptor is no pipe, or a later Node.js takes this away: the
 * next write then tells.
 */
function openHandle(fd: number): TcpHandle | null {
  type Binding = { TCP: new (type: number) => TcpHandle; constants: { SOCKET: number } };
  const { binding } = process as unknown as { binding?: (name: string) => Binding };
  try {
    const tcp = binding?.('tcp_wrap');
    if (tcp === undefined || !fstatSync(fd).isFIFO()) return null;
    const handle = new tcp.TCP(tcp.constants.SOCKET);
    // libuv watches a descriptor but once, and standard output has its own.
    const own = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
    if (handle.open(own) === 0) return handle;
    closeSync(own);
    return null;
  } catch {
    return null;
  }
}

/** Calls `then` when nobody can read the pipe any more. Returns what ends the watch; it does not keep the process. */
export function watchReader(fd: number, then: () => void): () => void {
  const handle = openHandle(fd);
  if (handle === null) return () => {};
  const options = { handle, readable: true, writable: false };
  const socket = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
  socket.on('error', then).resume().unref();
  return () => socket.destroy();
}
