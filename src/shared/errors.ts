/** Errors of the operating system. */

/** A fault of the world, to be handled; everything else that is thrown is a bug. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

const PROGRAMMER_ERRORS = [TypeError, ReferenceError, RangeError, SyntaxError];

/** Whether an error is of a class that JavaScript throws for a mistake in a program. */
export function isProgrammerError(error: unknown): boolean {
  return PROGRAMMER_ERRORS.some((mistake) => error instanceof mistake);
}
