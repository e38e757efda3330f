/** Finds out before anything is made whether this process may open as many files as it will need. */
import { closeSync, constants, openSync } from 'node:fs';
import { hasErrorCode } from '../../shared/errors.ts';
import { DONE, type Result, refusal } from '../../shared/result.ts';
import { bufferCpus } from './instance.ts';

/** The buffer of a CPU is opened to read and to wait, and its counters. */
const PER_CPU = 3;
/** Settings, the keeper, and then what the agent itself opens: spool, sinks, endpoint, /proc. */
const OTHERS = 96;

/**
 * Opens so many files and closes them again. An agent that ran short of descriptors in the middle of its start would leave
 * an instance behind that records.
 */
export function checkDescriptors(tracefs: string): Result {
  const needed = PER_CPU * bufferCpus({ path: tracefs }) + OTHERS;
  const files: number[] = [];
  try {
    while (files.length < needed) files.push(openSync('/', constants.O_RDONLY | constants.O_DIRECTORY));
    return DONE;
  } catch (error) {
    if (!hasErrorCode(error, 'EMFILE', 'ENFILE')) throw error;
    const whose = hasErrorCode(error, 'EMFILE')
      ? 'ulimit -n 1024, or LimitNOFILE= in the unit'
      : 'fs.file-max of this host';
    return refusal(
      `only ${files.length} more files can be opened, and the agent needs ${needed}: raise the limit (${whose})`,
    );
  } finally {
    for (const file of files) closeSync(file);
  }
}
