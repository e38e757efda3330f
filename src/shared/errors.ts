/** Errors of the operating system. */

/** A fault of the world, to be handled; everything else that is thrown is a bug. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
