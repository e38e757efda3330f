/** One agent at a time in a spool's directory. */
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { isSystemError } from '../../../shared/errors.ts';

/**
 * Locks a directory with a socket in the kernel's abstract namespace, named after the device and inode of the directory
 * (unix(7)): the lock ends with the process, however that ends, and leaves no file behind. It holds within one network
 * namespace. Null when another process has the lock. Throws the error of the system.
 */
export async function lockSpool(directory: string): Promise<Server | null> {
  const { dev, ino } = statSync(directory);
  const server = createServer((connection) => connection.destroy());
  server.unref();
  server.listen({ path: `\0ktc-spool-${dev}-${ino}` });
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if (isSystemError(error) && error.code === 'EADDRINUSE') return null;
    throw error;
  }
}
