/** Handlers of records by hand. */
import type { RecordHandler } from '../../src/source/source.ts';

/** Takes everything, and does nothing with it but what `some` says. */
export function handlerOf(some: Partial<RecordHandler>): RecordHandler {
  return {
    ready: () => true,
    existing() {},
    record() {},
    filteredRecord() {},
    malformedRecord() {},
    malformedPage() {},
    lost() {},
    host() {},
    advance() {},
    ...some,
  };
}
