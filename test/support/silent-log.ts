import type { SinkLog } from '../../src/sink/sink-log.ts';

/** For tests that do not read the log. */
export const silentLog: SinkLog = { debug() {}, info() {}, warn() {}, error() {} };
