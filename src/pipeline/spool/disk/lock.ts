/** One agent at a time in a spool's directory. */
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';

/**
 * Held by a socket in the kernel's abstract namespace, named after the directory's device and inode (unix(7)): it
 * cannot outlive the process, whatever ends it, and leaves no file behind. It holds within one network namespace.
 * Null when another process has it.
 */
export async function lockDirectory(directory: string): Promise<Server | null> {
  const { dev, ino } = statSync(directory);
  const server = createServer((connection) => connection.destroy());
  server.unref();
  server.listen({ path: `\0ktc-spool-${dev}-${ino}` });
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
}
