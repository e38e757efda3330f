/** Errors of the operating system. */

/**
 * Whether the operating system reported this error: a fault of the world, to be handled. Everything else that is
 * thrown is a bug.
 */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

/** Whether an error has one of these codes of errno(3), such as `ENOENT`. */
export function hasErrorCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => code === error.code);
}

/** For `catch`: makes null of an error that has one of these codes of errno(3), and throws every other. */
export function orNull(...codes: readonly string[]): (error: unknown) => null {
  return (error) => {
    if (hasErrorCode(error, ...codes)) return null;
    throw error;
  };
}

const PROGRAMMER_ERRORS = [TypeError, ReferenceError, RangeError, SyntaxError];

/** Whether an error is of a class that JavaScript throws for a mistake in a program. */
export function isProgrammerError(error: unknown): boolean {
  return PROGRAMMER_ERRORS.some((mistake) => error instanceof mistake);
}
